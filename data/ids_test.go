package data_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/refrain-lm/refrain/data"
)

var tokenizerID = strings.Repeat("0123456789abcdef", 4)

// idsOf returns n ids below vocab that follow no simple pattern.
func idsOf(n, vocab int) []int32 {
	ids := make([]int32, n)
	x := uint32(1)
	for i := range ids {
		x = x*1664525 + 1013904223
		ids[i] = int32(uint64(x>>1) % uint64(vocab))
	}
	return ids
}

// writeIDs writes a file of ids, in pieces of several sizes.
func writeIDs(t testing.TB, path string, vocab int, train, valid []int32) {
	t.Helper()
	w, err := data.CreateIDs(path, vocab, tokenizerID)
	if err != nil {
		t.Fatal(err)
	}
	for i, part := range [][]int32{train, valid} {
		if i == 1 {
			w.StartValid()
		}
		for n := 1; len(part) > 0; n = n*3 + 1 {
			n = min(n, len(part))
			if err := w.Append(part[:n]); err != nil {
				t.Fatal(err)
			}
			part = part[n:]
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
}

func readAll(t testing.TB, r data.Reader) []int32 {
	t.Helper()
	ids := make([]int32, r.Len())
	if err := r.Read(ids, 0); err != nil {
		t.Fatal(err)
	}
	return ids
}

func TestIDs(t *testing.T) {
	tests := []struct {
		name         string
		vocab        int
		train, valid int
		size         int64
	}{
		{"two bytes", 65536, 100000, 777, 128 + 2*100777},
		{"four bytes", 65537, 50000, 33, 128 + 4*50033},
		{"one id", 1, 1, 0, 130},
		{"no ids", 10, 0, 0, 128},
		{"validation only", 10, 0, 5, 138},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "data.ids")
			train, valid := idsOf(tt.train, tt.vocab), idsOf(tt.valid, tt.vocab)
			writeIDs(t, path, tt.vocab, train, valid)
			if st, err := os.Stat(path); err != nil || st.Size() != tt.size {
				t.Errorf("file of %d bytes (%v), want %d", st.Size(), err, tt.size)
			}
			d, err := data.OpenIDs(path)
			if err != nil {
				t.Fatal(err)
			}
			defer d.Close()
			if d.Vocabulary() != tt.vocab || d.TokenizerID() != tokenizerID {
				t.Errorf("vocabulary %d, tokenizer %s", d.Vocabulary(), d.TokenizerID())
			}
			if !slices.Equal(readAll(t, d.Train()), train) || !slices.Equal(readAll(t, d.Valid()), valid) {
				t.Error("ids differ")
			}
			if !slices.Equal(readAll(t, d), slices.Concat(train, valid)) {
				t.Error("ids of both parts differ")
			}
			if err := d.Verify(); err != nil {
				t.Error(err)
			}
			if entries, _ := os.ReadDir(filepath.Dir(path)); len(entries) != 1 {
				t.Errorf("%d files left", len(entries))
			}
		})
	}
}

func TestReadBounds(t *testing.T) {
	path := filepath.Join(t.TempDir(), "data.ids")
	ids := idsOf(100, 50)
	writeIDs(t, path, 50, ids[:80], ids[80:])
	d, err := data.OpenIDs(path)
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	tests := []struct {
		name string
		r    data.Reader
		n    int
		at   int64
		ok   bool
	}{
		{"inside", d, 50, 40, true},
		{"to the end", d, 50, 50, true},
		{"nothing at the end", d, 0, 100, true},
		{"past the end", d, 51, 50, false},
		{"before the start", d, 1, -1, false},
		{"far off", d, 1, 1 << 62, false},
		{"from training into validation", d.Train(), 2, 79, false},
		{"end of training", d.Train(), 1, 79, true},
		{"end of validation", d.Valid(), 20, 0, true},
		{"past validation", d.Valid(), 1, 20, false},
		{"in memory", data.Slice(ids), 10, 90, true},
		{"past memory", data.Slice(ids), 11, 90, false},
	}
	for _, tt := range tests {
		err := tt.r.Read(make([]int32, tt.n), tt.at)
		if (err == nil) != tt.ok || err != nil && !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Errorf("%s: %v", tt.name, err)
		}
	}
}

// fileBytes returns a small file of ids.
func fileBytes(t testing.TB) []byte {
	path := filepath.Join(t.TempDir(), "data.ids")
	writeIDs(t, path, 300, idsOf(40, 300), idsOf(10, 300))
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

// reseal corrects the header's checksum.
func reseal(raw []byte) {
	binary.LittleEndian.PutUint32(raw[124:], crc32.Checksum(raw[:124], crc32.MakeTable(crc32.Castagnoli)))
}

func TestDamagedIDs(t *testing.T) {
	le := binary.LittleEndian
	tests := []struct {
		name   string
		damage func(raw []byte) []byte
		want   string
	}{
		{"empty", func(raw []byte) []byte { return nil }, "cut at 0 bytes"},
		{"cut header", func(raw []byte) []byte { return raw[:100] }, "cut at 100 bytes"},
		{"cut ids", func(raw []byte) []byte { return raw[:len(raw)-1] }, "cut"},
		{"longer", func(raw []byte) []byte { return append(raw, 0) }, "need 228"},
		{"other file", func(raw []byte) []byte { raw[0] = 'x'; return raw }, "not a file of ids"},
		{"header bit", func(raw []byte) []byte { raw[24] ^= 1; return raw }, "damaged header"},
		{"version", func(raw []byte) []byte { raw[8] = 9; reseal(raw); return raw }, "version 9"},
		{"vocabulary 0", func(raw []byte) []byte { le.PutUint64(raw[16:], 0); reseal(raw); return raw }, "vocabulary of 0"},
		{"vocabulary", func(raw []byte) []byte { le.PutUint64(raw[16:], 1<<40); reseal(raw); return raw }, "vocabulary of"},
		{"width", func(raw []byte) []byte { le.PutUint32(raw[12:], 4); reseal(raw); return raw }, "4 bytes an id"},
		{"count", func(raw []byte) []byte { le.PutUint64(raw[24:], 1<<63); reseal(raw); return raw }, "need more"},
		{"counts overflow", func(raw []byte) []byte {
			le.PutUint64(raw[24:], 50)
			le.PutUint64(raw[32:], ^uint64(0))
			reseal(raw)
			return raw
		}, "need more"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := data.OpenBytes(tt.damage(fileBytes(t)))
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error %v, want one with %q", err, tt.want)
			}
		})
	}
	t.Run("id outside the vocabulary", func(t *testing.T) {
		raw := fileBytes(t)
		le.PutUint16(raw[128+2*17:], 300)
		d, err := data.OpenBytes(raw)
		if err != nil {
			t.Fatal(err)
		}
		if err := d.Read(make([]int32, 50), 0); err == nil || !strings.Contains(err.Error(), "id 300 in place 17") {
			t.Errorf("Read: %v", err)
		}
		if err := d.Verify(); err == nil || !strings.Contains(err.Error(), "checksum") {
			t.Errorf("Verify: %v", err)
		}
	})
}

func TestCreateIDsErrors(t *testing.T) {
	dir := t.TempDir()
	tests := []struct {
		name, path, id string
		vocab          int
	}{
		{"vocabulary", filepath.Join(dir, "a"), tokenizerID, 0},
		{"tokenizer", filepath.Join(dir, "a"), "abc", 5},
		{"long tokenizer", filepath.Join(dir, "a"), tokenizerID + "00", 5},
		{"folder", filepath.Join(dir, "none", "a"), tokenizerID, 5},
	}
	for _, tt := range tests {
		if _, err := data.CreateIDs(tt.path, tt.vocab, tt.id); err == nil {
			t.Errorf("%s: no error", tt.name)
		}
	}
	w, err := data.CreateIDs(filepath.Join(dir, "a"), 5, tokenizerID)
	if err != nil {
		t.Fatal(err)
	}
	for _, id := range []int32{-1, 5} {
		if err := w.Append([]int32{id}); err == nil {
			t.Errorf("id %d is taken", id)
		}
	}
	if err := w.Abort(); err != nil {
		t.Error(err)
	}
	if entries, _ := os.ReadDir(dir); len(entries) != 0 {
		t.Errorf("Abort leaves %v", entries)
	}
}

// A disk that is full at any write leaves neither a file nor a part of one,
// and an older file as it was.
func TestFullDisk(t *testing.T) {
	for fail := range 12 {
		path := filepath.Join(t.TempDir(), "data.ids")
		if err := os.WriteFile(path, []byte("older"), 0o600); err != nil {
			t.Fatal(err)
		}
		w, err := data.CreateIDs(path, 70000, tokenizerID)
		if err != nil {
			t.Fatal(err)
		}
		full := &fullDisk{left: fail}
		w.Replace(func(f io.Writer) io.Writer { full.w = f; return full })
		err = w.Append(idsOf(50000, 70000))
		if err == nil {
			err = w.Close()
		} else if e := w.Abort(); e != nil {
			t.Error(e)
		}
		if full.left >= 0 {
			if err != nil {
				t.Errorf("no fault, yet %v", err)
			}
			continue
		}
		if !errors.Is(err, errFull) {
			t.Errorf("write %d: error %v", fail, err)
		}
		if old, _ := os.ReadFile(path); string(old) != "older" {
			t.Errorf("write %d: the older file is lost", fail)
		}
		if entries, _ := os.ReadDir(filepath.Dir(path)); len(entries) != 1 {
			t.Errorf("write %d: %d files left", fail, len(entries))
		}
	}
}

var errFull = errors.New("disk full")

// A fullDisk takes so many writes and then fails.
type fullDisk struct {
	w    io.Writer
	left int
}

func (f *fullDisk) Write(p []byte) (int, error) {
	f.left--
	if f.left < 0 {
		return 0, errFull
	}
	return f.w.Write(p)
}

func FuzzOpenIDs(f *testing.F) {
	raw := fileBytes(f)
	f.Add(raw)
	f.Add(raw[:128])
	f.Add(raw[:130])
	f.Fuzz(func(t *testing.T, raw []byte) {
		if len(raw) >= 128 {
			raw = bytes.Clone(raw)
			reseal(raw)
		}
		d, err := data.OpenBytes(raw)
		if err != nil {
			return
		}
		if d.Len() > int64(len(raw)) {
			t.Fatalf("%d ids in %d bytes", d.Len(), len(raw))
		}
		ids := make([]int32, d.Len())
		if d.Read(ids, 0) == nil {
			for _, id := range ids {
				if id < 0 || int(id) >= d.Vocabulary() {
					t.Fatalf("id %d, vocabulary %d", id, d.Vocabulary())
				}
			}
		}
		if d.Train().Len()+d.Valid().Len() != d.Len() {
			t.Error("parts don't add up")
		}
		_ = d.Verify() // most fuzzed ids have another checksum
	})
}
