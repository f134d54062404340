package tokenizer_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/refrain-lm/refrain/tokenizer"
)

func save(t testing.TB, tok *tokenizer.Tokenizer) string {
	t.Helper()
	var b bytes.Buffer
	if err := tok.Save(&b); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestSaveLoad(t *testing.T) {
	for kind, tok := range all(t) {
		t.Run(kind, func(t *testing.T) {
			file := save(t, tok)
			back, err := tokenizer.Load(strings.NewReader(file))
			if err != nil {
				t.Fatal(err)
			}
			if again := save(t, back); again != file {
				t.Errorf("saved again it is\n%s\nwas\n%s", again, file)
			}
			sum := sha256.Sum256([]byte(file))
			if id := hex.EncodeToString(sum[:]); tok.ID() != id || back.ID() != id {
				t.Errorf("IDs %s and %s, want %s", tok.ID(), back.ID(), id)
			}
			if back.Options() != tok.Options() || back.Size() != tok.Size() || back.Distinct() != tok.Distinct() {
				t.Errorf("got %+v of %d, want %+v of %d", back.Options(), back.Size(), tok.Options(), tok.Size())
			}
			for name, text := range typed {
				if !slices.Equal(back.EncodeTraining(nil, []byte(text), 3), tok.EncodeTraining(nil, []byte(text), 3)) {
					t.Errorf("%s: ids differ after loading", name)
				}
			}
		})
	}
}

// The canonical form is a promise: other spellings of it load, and have the
// same identity; changing it orphans every model.
func TestCanonicalFile(t *testing.T) {
	const want = `{
 "format": "refrain tokenizer",
 "version": 1,
 "kind": "word",
 "words": "whitespace",
 "min_count": 1,
 "noise": 2048,
 "tokens": [
  "<unk>",
  "\n",
  "a",
  "<&>",
  {
   "hex": "ff62"
  }
 ]
}
`
	tok := train(t, tokenizer.Options{Kind: tokenizer.Word}, "a a <&> \xffb")
	if got := save(t, tok); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	spelt := strings.ReplaceAll(strings.ReplaceAll(want, "\n ", ""), `"a"`, "\"\\u0061\"")
	back, err := tokenizer.Load(strings.NewReader(spelt))
	if err != nil {
		t.Fatal(err)
	}
	if back.ID() != tok.ID() {
		t.Error("another spelling has another ID")
	}
}

func TestLoadErrors(t *testing.T) {
	const head = `{"format":"refrain tokenizer","version":1,`
	tests := []struct{ name, file, want string }{
		{"empty", ``, "EOF"},
		{"cut", head + `"kind":"char","min_count":1,"characters":"a`, "EOF"},
		{"other format", `{"format":"other"}`, `format "other"`},
		{"newer", `{"format":"refrain tokenizer","version":2}`, "newer"},
		{"unknown key", head + `"kind":"byte","merges":[]}`, "merges"},
		{"more text", head + `"kind":"byte"} {}`, "more text"},
		{"unknown kind", head + `"kind":"bpe"}`, `"bpe"`},
		{"no kind", head + `"characters":"a"}`, "kind"},
		{"characters of bytes", head + `"kind":"byte","characters":"a"}`, "no vocabulary"},
		{"no characters", head + `"kind":"char","min_count":1}`, "needs characters"},
		{"characters twice", head + `"kind":"char","min_count":1,"characters":"aa"}`, "ascending"},
		{"characters unsorted", head + `"kind":"char","min_count":1,"characters":"éa"}`, "ascending"},
		{"normal form", head + `"kind":"char","min_count":1,"normalize":"NFX","characters":"a"}`, "NFX"},
		{"no tokens", head + `"kind":"word","words":"punct","min_count":1}`, "0 tokens"},
		{"special tokens", head + `"kind":"word","words":"punct","min_count":1,"tokens":["a","b","c"]}`, "first tokens"},
		{"tokens twice", head + `"kind":"word","words":"punct","min_count":1,"tokens":["<unk>","\n","c","c"]}`, "twice"},
		{"empty token", head + `"kind":"word","words":"punct","min_count":1,"tokens":["<unk>","\n",""]}`, "0 bytes"},
		{"null token", head + `"kind":"word","words":"punct","min_count":1,"tokens":["<unk>","\n",null]}`, "bytes"},
		{"bad hex", head + `"kind":"word","words":"punct","min_count":1,"tokens":["<unk>","\n",{"hex":"f"}]}`, "hex"},
		{"long token", head + `"kind":"word","words":"punct","min_count":1,"tokens":["<unk>","\n","` + strings.Repeat("x", 2000) + `"]}`, "2000 bytes"},
		{"huge size", head + `"kind":"char","min_count":1,"vocab_size":99999999999,"characters":"a"}`, "vocabulary size"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := tokenizer.Load(strings.NewReader(tt.file))
			if err == nil || !strings.Contains(err.Error(), tt.want) || strings.Contains(err.Error(), "\n") {
				t.Errorf("error %v, want one with %q", err, tt.want)
			}
		})
	}
}

type failing struct{}

var errFull = errors.New("disk full")

func (failing) Write([]byte) (int, error) { return 0, errFull }
func (failing) Read([]byte) (int, error)  { return 0, errFull }

func TestFileErrors(t *testing.T) {
	if err := tokenizer.NewByte().Save(failing{}); !errors.Is(err, errFull) {
		t.Errorf("Save: %v", err)
	}
	if _, err := tokenizer.Load(failing{}); !errors.Is(err, errFull) {
		t.Errorf("Load: %v", err)
	}
}

func FuzzLoad(f *testing.F) {
	for _, tok := range all(f) {
		f.Add([]byte(save(f, tok)))
	}
	f.Add([]byte(`{"format":"refrain tokenizer","version":1,"kind":"word","words":"punct","min_count":1,"tokens":["<unk>","\n"," ","##","## ","#"]}`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		tok, err := tokenizer.Load(bytes.NewReader(raw))
		if err != nil {
			return
		}
		for _, text := range typed {
			for _, id := range tok.EncodeTraining(nil, []byte(text), 0) {
				tok.AppendDecode(nil, id)
			}
			tok.Loses([]byte(text))
		}
		for id := range min(tok.Size(), 1000) {
			tok.TokenText(int32(id))
			tok.AppendDecode([]byte("x"), int32(id))
		}
		if back, err := tokenizer.Load(strings.NewReader(save(t, tok))); err != nil || back.ID() != tok.ID() {
			t.Errorf("loaded again: %v", err)
		}
	})
}
