package ngram_test

import (
	"bytes"
	"encoding/binary"
	"hash/crc32"
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/refrain-lm/refrain/ngram"
)

// small is a model of a few n-grams.
func small(t testing.TB) *ngram.Model {
	t.Helper()
	ids := randomText(rand.New(rand.NewPCG(3, 3)), 120, 6)
	return train(t, ids, ngram.Options{Order: 3, Vocab: 8, LineEnd: 1})
}

// alike compares what two models predict.
func alike(t *testing.T, a, b *ngram.Model, tolerance float64) {
	t.Helper()
	s, u := a.NewStepper(), b.NewStepper()
	for _, id := range randomText(rand.New(rand.NewPCG(5, 5)), 200, a.Vocab()) {
		p, q := s.Step(id), u.Step(id)
		for w := range p {
			if math.Abs(float64(p[w]-q[w])) > tolerance {
				t.Fatalf("after %d: ln p(%d) %v and %v", id, w, p[w], q[w])
			}
		}
	}
}

func TestFile(t *testing.T) {
	m := small(t)
	raw := file(t, m)
	got, err := ngram.Read(m.Config(), bytes.NewReader(raw), int64(len(raw)))
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(file(t, got), raw) {
		t.Error("read and written again it has other bytes")
	}
	alike(t, m, got, 0)
}

// sealed is raw with a checksum that holds.
func sealed(raw []byte) []byte {
	body := raw[:len(raw)-4]
	return binary.LittleEndian.AppendUint32(bytes.Clone(body), crc32.Checksum(body, crc32.MakeTable(crc32.Castagnoli)))
}

func TestReadRefuses(t *testing.T) {
	m := small(t)
	raw := file(t, m)
	edit := func(at int, v uint32) []byte {
		b := bytes.Clone(raw)
		binary.LittleEndian.PutUint32(b[at:], v)
		return sealed(b)
	}
	const begins = 16 + 3*8 // of single tokens: the first array
	for _, c := range []struct {
		name, want string
		raw        []byte
	}{
		{"empty", "cut", nil},
		{"cut in the header", "cut", raw[:30]},
		{"cut", "cut", raw[:len(raw)-9]},
		{"more", "its header says", append(bytes.Clone(raw), 0)},
		{"something else", "no file of n-grams", append([]byte("PK\x03\x04"), raw[4:]...)},
		{"later version", "version 2", edit(8, 2)},
		{"another order", "order 4", edit(12, 4)},
		{"another vocabulary", "9 single tokens", edit(16, 9)},
		{"huge", "cut", edit(28, 1<<30)},
		{"a flipped bit", "checksum", func() []byte { b := bytes.Clone(raw); b[len(b)/2] ^= 4; return b }()},
		{"continuations before the first", "overlap", edit(begins, 1)},
		{"continuations beyond the last", "overlap", edit(begins+4, 1<<31)},
		{"ln p above 0", "ln p", edit(begins+9*4, math.Float32bits(0.5))},
		{"ln p not a number", "ln p", edit(begins+9*4, 0x7fc00000)},
		{"backoff infinite", "backoff", edit(begins+9*4+8*4, 0x7f800000)},
	} {
		if _, err := ngram.Read(m.Config(), bytes.NewReader(c.raw), int64(len(c.raw))); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", c.name, err, c.want)
		}
	}
}

// FuzzRead wants an error or a model that predicts.
func FuzzRead(f *testing.F) {
	m := small(f)
	f.Add(file(f, m))
	f.Add([]byte("refrngrm"))
	f.Fuzz(func(t *testing.T, raw []byte) {
		if len(raw) < 4 {
			return
		}
		raw = sealed(raw)
		got, err := ngram.Read(m.Config(), bytes.NewReader(raw), int64(len(raw)))
		if err != nil {
			return
		}
		s := got.NewStepper()
		for id := range int32(8) {
			s.Step(id)
			s.Step(7 - id)
		}
	})
}

func TestConfigRefuses(t *testing.T) {
	for _, c := range []struct{ name, text, want string }{
		{"nothing", ``, "EOF"},
		{"unknown key", `{"version":1,"kind":"ngram","order":2,"vocab":4,"line_end":1,"ordre":3}`, "ordre"},
		{"later version", `{"version":2,"kind":"ngram","order":2,"vocab":4,"line_end":1}`, "version 2"},
		{"another kind", `{"version":1,"kind":"recurrent","order":2,"vocab":4,"line_end":1}`, "recurrent"},
		{"order", `{"version":1,"kind":"ngram","order":99,"vocab":4,"line_end":1}`, "order 99"},
		{"vocabulary", `{"version":1,"kind":"ngram","order":2,"vocab":0,"line_end":-1}`, "vocab 0"},
		{"discounts", `{"version":1,"kind":"ngram","order":2,"vocab":4,"line_end":1,"discounts":[{"d":[0.5,1,7]},{"d":[0.5,1,1]}]}`, "discount 7"},
		{"more", `{"version":1,"kind":"ngram","order":2,"vocab":4,"line_end":1} {}`, "after"},
	} {
		if _, err := ngram.ReadConfig(strings.NewReader(c.text)); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", c.name, err, c.want)
		}
	}
}

// FuzzReadConfig wants an error or a config that is written and read as it is.
func FuzzReadConfig(f *testing.F) {
	f.Add(`{"version":1,"kind":"ngram","order":2,"vocab":4,"line_end":-1}`)
	f.Add(`{"version":1,"kind":"ngram","order":1,"vocab":4,"line_end":1,"discounts":[{"d":[0.5,1,1.5],"usual":true}]}`)
	f.Fuzz(func(t *testing.T, text string) {
		c, err := ngram.ReadConfig(strings.NewReader(text))
		if err != nil {
			return
		}
		var b bytes.Buffer
		if err := c.Write(&b); err != nil {
			t.Fatal(err)
		}
		again, err := ngram.ReadConfig(&b)
		if err != nil || len(again.Discounts) != len(c.Discounts) || again.Order != c.Order || again.Vocab != c.Vocab || again.LineEnd != c.LineEnd {
			t.Errorf("%+v, then %+v, %v", c, again, err)
		}
	})
}
