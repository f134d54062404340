package tokenizer_test

import (
	"bytes"
	"testing"

	"github.com/refrain-lm/refrain/tokenizer"
)

func FuzzEncode(f *testing.F) {
	for _, text := range typed {
		f.Add([]byte(text))
	}
	toks := all(f)
	f.Fuzz(func(t *testing.T, text []byte) {
		for _, tok := range toks {
			checkText(t, tok, text)
		}
	})
}

// FuzzTrain makes the tokenizer itself of any text.
func FuzzTrain(f *testing.F) {
	for _, text := range typed {
		f.Add([]byte(text), uint8(0))
		f.Add([]byte(text), uint8(5))
	}
	kinds := []tokenizer.Options{
		{}, {Normalize: "NFC"}, {Lower: true, MinCount: 2}, {VocabSize: 260},
		{Kind: tokenizer.Word}, {Kind: tokenizer.Word, Words: tokenizer.Punct},
		{Kind: tokenizer.Word, Words: tokenizer.Punct, Lower: true, Normalize: "NFKD"}, {Kind: tokenizer.Word, VocabSize: 4},
	}
	f.Fuzz(func(t *testing.T, text []byte, kind uint8) {
		tr, err := tokenizer.NewTrainer(kinds[int(kind)%len(kinds)])
		if err != nil {
			t.Fatal(err)
		}
		tr.Write(text)
		tok, err := tr.Tokenizer()
		if err != nil {
			return
		}
		checkText(t, tok, text)
		var file bytes.Buffer
		if err := tok.Save(&file); err != nil {
			t.Fatal(err)
		}
		back, err := tokenizer.Load(&file)
		if err != nil {
			t.Fatal(err)
		}
		if back.ID() != tok.ID() {
			t.Errorf("ID %s after loading, %s before", back.ID(), tok.ID())
		}
	})
}
