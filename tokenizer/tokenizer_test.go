package tokenizer_test

import (
	"bytes"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"unicode/utf8"

	"github.com/refrain-lm/refrain/tokenizer"
)

// train returns a tokenizer of text.
func train(t testing.TB, o tokenizer.Options, text string) *tokenizer.Tokenizer {
	t.Helper()
	tr, err := tokenizer.NewTrainer(o)
	if err != nil {
		t.Fatal(err)
	}
	tr.Write([]byte(text))
	tok, err := tr.Tokenizer()
	if err != nil {
		t.Fatal(err)
	}
	return tok
}

func decode(tok *tokenizer.Tokenizer, ids []int32) string {
	var text []byte
	for _, id := range ids {
		text = tok.AppendDecode(text, id)
	}
	return string(text)
}

// corpus reads a file of the data folder, or skips the test.
func corpus(t testing.TB, name string) []byte {
	t.Helper()
	dir := os.Getenv("REFRAIN_DATA")
	if dir == "" {
		dir = filepath.Join("..", "..", "shared", "data")
	}
	text, err := os.ReadFile(filepath.Join(dir, name))
	if err != nil {
		t.Skipf("set REFRAIN_DATA to a folder with %s: %v", name, err)
	}
	return text
}

const english = "It was the best of times, it was the worst of times.\nWell, (he said) \"don't!\" – and went.\n\n"

// all are tokenizers of every kind and option.
func all(t testing.TB) map[string]*tokenizer.Tokenizer {
	return map[string]*tokenizer.Tokenizer{
		"byte":             tokenizer.NewByte(),
		"char":             train(t, tokenizer.Options{}, english),
		"char/mixed":       train(t, tokenizer.Options{Kind: tokenizer.Char}, english+"鼠牛虎 é \xff\n"),
		"char/nfkd,lower":  train(t, tokenizer.Options{Normalize: "NFKD", Lower: true}, english),
		"word":             train(t, tokenizer.Options{Kind: tokenizer.Word}, english),
		"word/latin1":      train(t, tokenizer.Options{Kind: tokenizer.Word}, "caf\xe9 caf\xe9\n"),
		"word/nfc,lower":   train(t, tokenizer.Options{Kind: tokenizer.Word, Normalize: "NFC", Lower: true}, english),
		"punct":            train(t, tokenizer.Options{Kind: tokenizer.Word, Words: tokenizer.Punct}, english),
		"punct/lower,nfkc": train(t, tokenizer.Options{Kind: tokenizer.Word, Words: tokenizer.Punct, Lower: true, Normalize: "NFKC"}, english),
	}
}

// typed is what people type, and what they don't.
var typed = map[string]string{
	"empty":         "",
	"english":       english,
	"chinese":       "鼠牛虎兔龍蛇馬羊猴雞狗豬。\n你好，世界！",
	"arabic":        "مرحبا بالعالم، كيف حالك؟\n",
	"hebrew":        "שלום עולם \u200f(כן)",
	"emoji":         "hi 😀👩‍👩‍👧‍👦🇩🇪 ok\n",
	"thai":          "สวัสดีชาวโลก",
	"invalid":       "a\xff\xfe\xc3(\xe2\x82 \xf0\x9f\x98 b\x80\n",
	"nul":           "a\x00b\x00\x00\n",
	"crlf":          "one\r\ntwo\r\n\r\nthree\rfour",
	"bom":           "\ufeffstart\n\ufeff",
	"controls":      "\x01\x02\x1b[31mred\x7f\u0085\u2028\u2029",
	"spaces":        "  a \t b\v\f\u00a0\u3000c  \n\n \n",
	"combining":     "\u0301a\u0301\n\u0301 \u0308x " + strings.Repeat("e\u0301\u0302", 40) + strings.Repeat("\u0301", 70),
	"replacement":   "\ufffd\ufffe\uffff\U0010ffff",
	"long word":     strings.Repeat("x", 5000),
	"specials":      "<unk> <eos> <unk>s ##x ## #1 <unk\u0301>\n",
	"no line end":   "it was",
	"only line end": "\n",
}

func TestAnyTextEncodes(t *testing.T) {
	for kind, tok := range all(t) {
		for name, text := range typed {
			t.Run(kind+"/"+name, func(t *testing.T) { checkText(t, tok, []byte(text)) })
		}
	}
}

// checkText checks what holds for every tokenizer and every text.
func checkText(t *testing.T, tok *tokenizer.Tokenizer, text []byte) {
	t.Helper()
	ids := tok.Encode(nil, text)
	for _, id := range ids {
		if id < 0 || int(id) >= tok.Size() {
			t.Fatalf("id %d, size %d", id, tok.Size())
		}
		tok.TokenText(id)
	}
	got := decode(tok, ids)
	if lost := got != string(text); tok.Loses(text) != lost {
		t.Errorf("Loses(%q) = %v, decoded %q", text, !lost, got)
	}
	o := tok.Options()
	if o.Kind != tokenizer.Word && o.Normalize == "" && !o.Lower && got != string(text) {
		t.Errorf("round trip of %q gave %q", text, got)
	}
	if got, want := strings.Count(got, "\n"), bytes.Count(text, []byte("\n")); got != want {
		t.Errorf("%d line ends of %d left", got, want)
	}
	noisy := tok.EncodeTraining(nil, text, 12345)
	for _, id := range noisy {
		if id < 0 || int(id) >= tok.Size() {
			t.Fatalf("training id %d, size %d", id, tok.Size())
		}
	}
}

// Where a text is cut changes nothing, neither the ids nor the noise.
func TestPieces(t *testing.T) {
	var text []byte
	for range 40 {
		for _, name := range []string{"english", "chinese", "emoji", "invalid", "crlf", "combining", "specials"} {
			text = append(text, typed[name]...)
		}
		text = append(text, '\n')
	}
	for kind, tok := range all(t) {
		o := tok.Options()
		cuts := map[string]func(i int) bool{"line ends": func(i int) bool { return text[i-1] == '\n' }}
		if o.Kind == tokenizer.Char && o.Normalize == "" && !o.Lower {
			cuts["characters"] = func(i int) bool { return text[i-1] < utf8.RuneSelf }
		}
		if o.Kind == tokenizer.Byte {
			cuts["anywhere"] = func(i int) bool { return i%3 == 0 }
		}
		for name, cut := range cuts {
			t.Run(kind+"/"+name, func(t *testing.T) {
				want, noisy := tok.Encode(nil, text), tok.EncodeTraining(nil, text, 7)
				var got, gotNoisy []int32
				from := 0
				for i := 1; i <= len(text); i++ {
					if i == len(text) || cut(i) {
						got = tok.Encode(got, text[from:i])
						gotNoisy = tok.EncodeTraining(gotNoisy, text[from:i], 7+uint64(from))
						from = i
					}
				}
				if !slices.Equal(got, want) {
					t.Error("ids differ")
				}
				if !slices.Equal(gotNoisy, noisy) {
					t.Error("training ids differ")
				}
			})
		}
	}
}

func TestTrainingInPieces(t *testing.T) {
	text := english + typed["chinese"] + "\n" + typed["combining"] + "\n"
	for kind, tok := range all(t) {
		tr, err := tokenizer.NewTrainer(tok.Options())
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(text) {
			tr.Write([]byte(line))
		}
		got, err := tr.Tokenizer()
		if err != nil {
			t.Fatal(err)
		}
		if want := train(t, tok.Options(), text); got.ID() != want.ID() {
			t.Errorf("%s: trained by lines has ID %s, at once %s", kind, got.ID(), want.ID())
		}
	}
}

func TestWordCorpora(t *testing.T) {
	tests := []struct {
		name, train, valid string
		vocab              int
		trained, validated int
	}{
		{"ptb", "ptb/ptb.train.txt", "ptb/ptb.valid.txt", 10000, 929589, 73760},
		{"wikitext-2", "wikitext-2/wiki.train.tokens", "wikitext-2/wiki.valid.tokens", 33278, 2088628, 217646},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if raceEnabled {
				t.Skip("one goroutine: nothing to race")
			}
			text := corpus(t, tt.train)
			tok := train(t, tokenizer.Options{Kind: tokenizer.Word}, string(text))
			if tok.Size() != tt.vocab {
				t.Errorf("vocabulary %d, want %d", tok.Size(), tt.vocab)
			}
			plain := tok.Encode(nil, text)
			if len(plain) != tt.trained {
				t.Errorf("%d training tokens, want %d", len(plain), tt.trained)
			}
			ids := tok.Encode(nil, corpus(t, tt.valid))
			if len(ids) != tt.validated {
				t.Errorf("%d validation tokens, want %d", len(ids), tt.validated)
			}
			if !slices.Equal(tok.EncodeTraining(nil, text, 0), plain) {
				t.Error("a text with its own <unk> gets noise")
			}
		})
	}
}

func TestVocabulary(t *testing.T) {
	const text = "b a c a b a <unk> d\né é ü\n"
	word := tokenizer.Options{Kind: tokenizer.Word}
	tests := []struct {
		name string
		o    tokenizer.Options
		want []string // TokenText from id 0 (word) or 256 (char) on
	}{
		{"all words", word, []string{"<unk>", "<eos>", "a", "b", "é", "c", "d", "ü"}},
		{"minimum count", tokenizer.Options{Kind: tokenizer.Word, MinCount: 2}, []string{"<unk>", "<eos>", "a", "b", "é"}},
		{"vocabulary size", tokenizer.Options{Kind: tokenizer.Word, VocabSize: 4}, []string{"<unk>", "<eos>", "a", "b"}},
		{"characters", tokenizer.Options{}, []string{"é", "ü"}},
		{"characters, minimum count", tokenizer.Options{MinCount: 2}, []string{"é"}},
		{"characters, size", tokenizer.Options{VocabSize: 257}, []string{"é"}},
		{"characters, no room", tokenizer.Options{VocabSize: 256}, nil},
		{"decomposed", tokenizer.Options{Normalize: "NFD"}, []string{"\u0301", "\u0308"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			tok := train(t, tt.o, text)
			first := 0
			if tok.Kind() == tokenizer.Char {
				first = 256
			}
			var got []string
			for id := first; id < tok.Size(); id++ {
				got = append(got, decode(tok, []int32{int32(id)}))
				if got[id-first] == "\n" {
					got[id-first] = "<eos>"
				}
			}
			if !slices.Equal(got, tt.want) {
				t.Errorf("vocabulary %q, want %q", got, tt.want)
			}
		})
	}
}

func TestWords(t *testing.T) {
	const text = "The cat\r\n\tthe  <unk> dog"
	tests := []struct {
		name string
		o    tokenizer.Options
		in   string
		ids  string // tokens, as TokenText has them
		out  string
	}{
		{"white space", tokenizer.Options{Kind: tokenizer.Word}, text, "The|cat|<eos>|the|<unk>|dog", "The cat\nthe <unk> dog"},
		{"lower", tokenizer.Options{Kind: tokenizer.Word, Lower: true}, text, "the|cat|<eos>|the|<unk>|dog", "the cat\nthe <unk> dog"},
		{"unknown", tokenizer.Options{Kind: tokenizer.Word}, "The mouse\n", "The|<unk>|<eos>", "The <unk>\n"},
		{"blank lines", tokenizer.Options{Kind: tokenizer.Word}, "\n\ncat\n\n", "<eos>|<eos>|cat|<eos>|<eos>", "\n\ncat\n\n"},
		{"unseen eos", tokenizer.Options{Kind: tokenizer.Word}, "<eos>", "<unk>", "<unk>"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			tok := train(t, tt.o, text)
			ids := tok.Encode(nil, []byte(tt.in))
			var names []string
			for _, id := range ids {
				names = append(names, tok.TokenText(id))
			}
			if got := strings.Join(names, "|"); got != tt.ids {
				t.Errorf("tokens %s, want %s", got, tt.ids)
			}
			if got := decode(tok, ids); got != tt.out {
				t.Errorf("decoded %q, want %q", got, tt.out)
			}
		})
	}
}

// A word "<eos>" is a word, and not the line end.
func TestLiteralLineEnd(t *testing.T) {
	tok := train(t, tokenizer.Options{Kind: tokenizer.Word}, "a <eos>\n")
	ids := tok.Encode(nil, []byte("a <eos>\n"))
	if len(ids) != 3 || ids[1] == tok.LineEnd() || ids[2] != tok.LineEnd() || tok.Loses([]byte("a <eos>\n")) {
		t.Errorf("ids %v", ids)
	}
}

func TestPunct(t *testing.T) {
	o := tokenizer.Options{Kind: tokenizer.Word, Words: tokenizer.Punct}
	tests := []struct{ name, text, tokens string }{
		{"sentence", "Well, (he said) no.", "Well|,|(|he|said|)|no|."},
		{"apostrophe", "I don't; we can't!", "I|don't|;|we|can't|!"},
		{"quotes", `He said "yes" twice.`, `He|said|"|yes|##"|twice|.`},
		{"quote first", `"Go," he said.`, `"|Go|,|##"|he|said|.`},
		{"curly quotes", "She said “no” then.", "She|said|“|no|”|then|."},
		{"numbers", "It is 3.14 or 1,000 (50%), $5.", "It|is|3.14|or|1,000|(|50|%|)|,|$|5|."},
		{"hyphen", "a well-known fact - yes", "a|well|-|known|fact| -|yes"},
		{"list", "- one", "-|one"},
		{"chinese", "你好，世界。", "你|好|，|世|界|。"},
		{"code", "a = b+c", "a|=|b|##+|c"},
		{"unknown", "a <unk>, b", "a|<unk>|,|b"},
		{"emoji", "hi 👩‍👩‍👧 you", "hi|👩‍👩‍👧|you"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			tok := train(t, o, tt.text)
			ids := tok.Encode(nil, []byte(tt.text))
			var names []string
			for _, id := range ids {
				if name := decode(tok, []int32{id}); utf8.ValidString(name) && strings.Contains(name, "\u200d") {
					names = append(names, name) // not printable as a whole
				} else {
					names = append(names, tok.TokenText(id))
				}
			}
			if got := strings.Join(names, "|"); got != tt.tokens {
				t.Errorf("tokens %s, want %s", got, tt.tokens)
			}
			if got := decode(tok, ids); got != tt.text {
				t.Errorf("decoded %q, want %q", got, tt.text)
			}
		})
	}
}

// Text with single spaces survives kind punct when its words are known.
func TestPunctKeepsText(t *testing.T) {
	text := corpus(t, "tinyshakespeare/input.txt")
	tok := train(t, tokenizer.Options{Kind: tokenizer.Word, Words: tokenizer.Punct}, string(text))
	lines, lost := 0, 0
	for line := range bytes.Lines(text) {
		if trimmed := bytes.TrimSpace(line); len(trimmed) == 0 || bytes.Contains(line, []byte("  ")) || line[0] == ' ' || len(trimmed) != len(line)-1 {
			continue
		}
		lines++
		if tok.Loses(line) {
			lost++
			if lost < 5 {
				t.Errorf("%q decodes to %q", line, decode(tok, tok.Encode(nil, line)))
			}
		}
	}
	if lines < 30000 {
		t.Errorf("only %d lines looked at", lines)
	}
}

func TestLower(t *testing.T) {
	tok := train(t, tokenizer.Options{Lower: true}, "ÀÉ Straße ΑΒΓ İ\xff")
	if got, want := decode(tok, tok.Encode(nil, []byte("ÀÉ STRASSE ΓΒΑ İ\xff"))), "àé strasse γβα i\xff"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestNormalize(t *testing.T) {
	const text = "é e\u0301 ﬁ ①"
	tests := []struct{ form, want string }{
		{"", text},
		{"NFC", "é é ﬁ ①"},
		{"NFD", "e\u0301 e\u0301 ﬁ ①"},
		{"NFKC", "é é fi 1"},
		{"NFKD", "e\u0301 e\u0301 fi 1"},
	}
	for _, tt := range tests {
		t.Run("form="+tt.form, func(t *testing.T) {
			tok := train(t, tokenizer.Options{Normalize: tt.form}, text)
			if got := decode(tok, tok.Encode(nil, []byte(text))); got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

func TestValidate(t *testing.T) {
	tests := []struct {
		name string
		o    tokenizer.Options
		want []string // in the error; none: valid
	}{
		{"zero", tokenizer.Options{}, nil},
		{"word", tokenizer.Options{Kind: tokenizer.Word, Words: tokenizer.Punct, MinCount: 3, VocabSize: 100, Lower: true, Normalize: "NFC"}, nil},
		{"kind", tokenizer.Options{Kind: "wrod"}, []string{`kind "wrod"`}},
		{"words", tokenizer.Options{Kind: tokenizer.Word, Words: "spaces"}, []string{`words "spaces"`}},
		{"words of characters", tokenizer.Options{Words: tokenizer.Punct}, []string{"kind word only"}},
		{"everything", tokenizer.Options{MinCount: -1, VocabSize: 3, Normalize: "NFX"}, []string{"minimum count -1", "vocabulary size 3", `"NFX"`}},
		{"byte", tokenizer.Options{Kind: tokenizer.Byte, Lower: true}, []string{"keeps every byte"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			err := tt.o.Validate()
			if (err == nil) != (tt.want == nil) {
				t.Fatalf("error %v", err)
			}
			for _, w := range tt.want {
				if !strings.Contains(err.Error(), w) || strings.Contains(err.Error(), "\n") {
					t.Errorf("error %q lacks %q", err, w)
				}
			}
			if _, e := tokenizer.NewTrainer(tt.o); (e == nil) != (err == nil) {
				t.Errorf("NewTrainer: %v", e)
			}
		})
	}
}

func TestNothingToLearn(t *testing.T) {
	for _, o := range []tokenizer.Options{{}, {Kind: tokenizer.Word}, {Kind: tokenizer.Word, Words: tokenizer.Punct}} {
		tr, err := tokenizer.NewTrainer(o)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := tr.Tokenizer(); err == nil {
			t.Errorf("%+v: no error without text", o)
		}
	}
}

// What only spells unseen characters is no character of the text: neither the
// bytes of several, nor ASCII that the text has nowhere.
func TestFallback(t *testing.T) {
	tok := train(t, tokenizer.Options{}, "naïve text\n")
	for id := range int32(tok.Size()) {
		want := id < 256 && (id >= 0x80 || !strings.ContainsRune("nave txt\n", rune(id)))
		if got := tok.Fallback(id); got != want {
			t.Errorf("Fallback(%d) = %v, want %v", id, got, want)
		}
	}
	if tok := train(t, tokenizer.Options{Kind: tokenizer.Byte}, "text"); tok.Fallback(0) || tok.Fallback(200) {
		t.Error("kind byte has no fallback")
	}
}

// Noise comes about once in 8,192 characters, is never in the vocabulary, and
// taking it out leaves the text.
func TestCharNoise(t *testing.T) {
	text := []byte(strings.Repeat("it was the best of times, it was naïve\n", 40000))
	tok := train(t, tokenizer.Options{}, string(text))
	plain, noisy := tok.Encode(nil, text), tok.EncodeTraining(nil, text, 0)
	seen := map[int32]bool{}
	for _, id := range plain {
		seen[id] = true
	}
	runs, i := 0, 0
	for j := 0; j < len(noisy); {
		if i < len(plain) && noisy[j] == plain[i] {
			i++
			j++
			continue
		}
		runs++
		from := j
		for j < len(noisy) && (i == len(plain) || noisy[j] != plain[i]) {
			if noisy[j] > 255 || seen[noisy[j]] {
				t.Fatalf("noise has id %d", noisy[j])
			}
			j++
		}
		if j-from > 4 {
			t.Fatalf("%d bytes of noise at once", j-from)
		}
	}
	if i != len(plain) {
		t.Fatal("noise removed, the text is another")
	}
	want := float64(len(plain)) / 8192
	if math.Abs(float64(runs)-want) > 4*math.Sqrt(want) {
		t.Errorf("%d times noise, want about %.0f", runs, want)
	}
}

// Words get noise only where the text has no unknown word of its own.
func TestWordNoise(t *testing.T) {
	text := []byte(strings.Repeat("it was the best of times , it was\n", 20000))
	tests := []struct {
		name string
		o    tokenizer.Options
		text string
		want float64
	}{
		{"none unknown", tokenizer.Options{Kind: tokenizer.Word}, string(text), 180000.0 / 2048},
		{"punct", tokenizer.Options{Kind: tokenizer.Word, Words: tokenizer.Punct}, string(text), 180000.0 / 2048},
		{"literal", tokenizer.Options{Kind: tokenizer.Word}, string(text) + "<unk>\n", 0},
		{"rare", tokenizer.Options{Kind: tokenizer.Word, MinCount: 2}, string(text) + "once\n", 0},
		{"bounded", tokenizer.Options{Kind: tokenizer.Word, VocabSize: 9}, string(text) + "once\n", 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			tok := train(t, tt.o, tt.text)
			n := 0.0
			for _, id := range tok.EncodeTraining(nil, text, 99) {
				if id == tok.Unknown() {
					n++
				}
			}
			if math.Abs(n-tt.want) > 4*math.Sqrt(tt.want) {
				t.Errorf("%.0f unknown words, want about %.0f", n, tt.want)
			}
		})
	}
}

func TestTokenText(t *testing.T) {
	char := train(t, tokenizer.Options{}, "aé\u200d")
	word := train(t, tokenizer.Options{Kind: tokenizer.Word}, "a \xff\x01b\n")
	tests := []struct {
		name string
		tok  *tokenizer.Tokenizer
		id   int32
		want string
	}{
		{"letter", char, 'a', "a"},
		{"line end", char, '\n', `\n`},
		{"stray byte", char, 0xe9, `\xe9`},
		{"letter beyond ASCII", char, 256, "é"},
		{"joiner", char, 257, `\u200d`},
		{"quote", char, '"', `"`},
		{"line end of words", word, 1, "<eos>"},
		{"unknown", word, 0, "<unk>"},
		{"bytes", word, 3, `\xff\x01b`},
	}
	for _, tt := range tests {
		if got := tt.tok.TokenText(tt.id); got != tt.want {
			t.Errorf("%s: %q, want %q", tt.name, got, tt.want)
		}
	}
}

func TestDecodePanics(t *testing.T) {
	tok := tokenizer.NewByte()
	for _, id := range []int32{-1, 256} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("id %d: no panic", id)
				}
			}()
			tok.AppendDecode(nil, id)
		}()
	}
}

func TestGoroutines(t *testing.T) {
	for kind, tok := range all(t) {
		want := tok.Encode(nil, []byte(english))
		var wg sync.WaitGroup
		for range 4 {
			wg.Go(func() {
				for range 50 {
					if !slices.Equal(tok.Encode(nil, []byte(english)), want) {
						t.Errorf("%s: ids differ", kind)
					}
				}
			})
		}
		wg.Wait()
	}
}

func TestAllocations(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector allocates")
	}
	text := []byte(strings.Repeat(english, 100))
	for kind, tok := range all(t) {
		ids := tok.Encode(nil, text)
		buf := make([]byte, 0, 2*len(text))
		tok.Loses(text) // the first use makes scratch
		if n := testing.AllocsPerRun(20, func() { ids = tok.Encode(ids[:0], text) }); n > 2 {
			t.Errorf("%s: Encode allocates %v times", kind, n)
		}
		if n := testing.AllocsPerRun(20, func() {
			buf = buf[:0]
			for _, id := range ids {
				buf = tok.AppendDecode(buf, id)
			}
		}); n != 0 {
			t.Errorf("%s: AppendDecode allocates %v times", kind, n)
		}
	}
}
