package tokenizer_test

import (
	"bytes"
	"slices"
	"strings"
	"testing"

	"github.com/refrain-lm/refrain/keras"
	"github.com/refrain-lm/refrain/tokenizer"
)

// TestFromKeras: ids are those of Keras' tokenizer, a line at a time; a saved one is
// the same; decoding gives the words back.
func TestFromKeras(t *testing.T) {
	for _, oov := range []string{"", "<unk>"} {
		k := keras.NewTokenizer()
		k.OOVToken = oov
		k.FitOnTexts([]string{"The cat sat.", "白日 依山盡 the CAT"})
		tok, err := tokenizer.FromKeras(k)
		if err != nil {
			t.Fatal(err)
		}
		text := "the cat, the dog\n依山盡\n"
		want := slices.Concat(k.TextsToSequences([]string{"the cat, the dog", "依山盡"})...)
		if got := tok.Encode(nil, []byte(text)); !slices.Equal(got, want) {
			t.Errorf("ids %v, want %v", got, want)
		}
		var file bytes.Buffer
		if err := tok.Save(&file); err != nil {
			t.Fatal(err)
		}
		again, err := tokenizer.Load(&file)
		if err != nil {
			t.Fatal(err)
		}
		if again.ID() != tok.ID() || again.Size() != k.Size() || again.Unit() != "word" || again.Kind() != tokenizer.Keras {
			t.Errorf("read again: %s of %d, want %s of %d", again.Kind(), again.Size(), tok.Kind(), k.Size())
		}
		if got := again.Encode(nil, []byte(text)); !slices.Equal(got, want) {
			t.Errorf("ids read again %v, want %v", got, want)
		}
		var back []byte
		for _, id := range append(want, again.LineEnd()) {
			back = again.AppendDecode(back, id)
		}
		if want := k.SequencesToTexts([][]int32{want})[0] + "\n"; string(back) != want {
			t.Errorf("decoded %q, want %q", back, want)
		}
		if !tok.Loses([]byte("The cat\n")) {
			t.Error("lower-casing loses nothing")
		}
	}
	if _, err := tokenizer.FromKeras(keras.NewTokenizer()); err == nil {
		t.Error("a tokenizer without words is no error")
	}
	if _, err := tokenizer.NewTrainer(tokenizer.Options{Kind: tokenizer.Keras}); err == nil || !strings.Contains(err.Error(), "FromKeras") {
		t.Errorf("training one: %v", err)
	}
	if _, err := tokenizer.Load(strings.NewReader(`{"format":"refrain tokenizer","version":1,"kind":"keras"}`)); err == nil {
		t.Error("a file without Keras' tokenizer is no error")
	}
}
