package checkpoint_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/refrain-lm/refrain/checkpoint"
)

// goldenTensors are what testdata/golden.py gave to PyTorch.
var goldenTensors = []checkpoint.Tensor{
	{Name: "rnn.weight_ih_l0", Shape: []int{2, 3}, Data: []float32{-0.5, -0.25, 0, 0.25, 0.5, 0.75}},
	{Name: "decoder.bias", Shape: []int{3}, Data: []float32{1e-45, float32(math.Inf(1)), float32(math.Copysign(0, -1))}},
	{Name: "encoder.weight", Shape: []int{2, 1}, Data: []float32{1.5, -2.25}},
	{Name: "scalar", Shape: []int{}, Data: []float32{7}},
	{Name: "empty", Shape: []int{0, 3}},
	{Name: `naïve "name"`, Shape: []int{1}, Data: []float32{3}},
}

// TestSameBytesAsReference: what safetensors' own writer makes of these tensors
// is what ours makes, and ours is read back to the bit.
func TestSameBytesAsReference(t *testing.T) {
	want, err := os.ReadFile("testdata/torch-f32.safetensors")
	if err != nil {
		t.Fatal(err)
	}
	var got bytes.Buffer
	if err := checkpoint.WriteSafetensors(&got, goldenTensors); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got.Bytes(), want) {
		t.Errorf("wrote %q\nwant  %q", got.Bytes(), want)
	}
	if size := checkpoint.SafetensorsSize(goldenTensors); size != int64(len(want)) {
		t.Errorf("SafetensorsSize is %d, want %d", size, len(want))
	}
	read, err := checkpoint.ReadSafetensorsFile("testdata/torch-f32.safetensors")
	if err != nil {
		t.Fatal(err)
	}
	sameTensors(t, read, goldenTensors)
}

// sameTensors compares by name, bit for bit.
func sameTensors(t *testing.T, got, want []checkpoint.Tensor) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%d tensors, want %d", len(got), len(want))
	}
	for _, w := range want {
		i := slices.IndexFunc(got, func(g checkpoint.Tensor) bool { return g.Name == w.Name })
		if i < 0 || !slices.Equal(got[i].Shape, w.Shape) || len(got[i].Data) != len(w.Data) {
			t.Fatalf("%s: got %+v, want shape %v", w.Name, got[max(i, 0)], w.Shape)
		}
		for k, v := range w.Data {
			if math.Float32bits(got[i].Data[k]) != math.Float32bits(v) {
				t.Errorf("%s[%d] = %v, want %v", w.Name, k, got[i].Data[k], v)
			}
		}
	}
}

func TestReadOtherTypes(t *testing.T) {
	got, err := checkpoint.ReadSafetensorsFile("testdata/torch-mixed.safetensors")
	if err != nil {
		t.Fatal(err)
	}
	inf, zero := float32(math.Inf(1)), float32(math.Copysign(0, -1))
	sameTensors(t, got, []checkpoint.Tensor{
		{Name: "f64", Shape: []int{2, 4}, Data: []float32{0, zero, 1, -2.5, 65504, 6e-8, 3e-5, inf}},
		{Name: "f32", Shape: []int{2, 4}, Data: []float32{0, zero, 1, -2.5, 65504, 6e-8, 3e-5, inf}},
		// 6e-8 is the smallest half, 2⁻²⁴; 3e-5 is the subnormal 503·2⁻²⁴.
		{Name: "f16", Shape: []int{2, 4}, Data: []float32{0, zero, 1, -2.5, 65504, 1.0 / (1 << 24), 503.0 / (1 << 24), inf}},
		{Name: "bf16", Shape: []int{2, 4}, Data: []float32{0, zero, 1, -2.5, 65536, 0x1.02p-24, 0x1.f8p-16, inf}},
	})
}

// st builds a file from its header's text and its data's length.
func st(header string, data int) []byte {
	b := binary.LittleEndian.AppendUint64(nil, uint64(len(header)))
	return append(append(b, header...), make([]byte, data)...)
}

func TestHostileFiles(t *testing.T) {
	one := `"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}`
	tests := []struct {
		name string
		file []byte
		says string
	}{
		{"empty", nil, "has 0 bytes and is no safetensors file"},
		{"short", []byte("1234567"), "has 7 bytes"},
		{"text", []byte("# a readme, not weights"), "is no safetensors file"},
		{"header above the limit", binary.LittleEndian.AppendUint64(nil, 100_000_001), "is no safetensors file"},
		{"header of 2^64-1", bytes.Repeat([]byte{255}, 16), "is no safetensors file"},
		{"header cut", st(strings.Repeat(" ", 1000), 0)[:500], "is cut at 0.5 of 1.0 KB"},
		{"no JSON", st("nothing", 0), "damaged header"},
		{"an array", st("[]", 0), "damaged header"},
		{"deep", st(strings.Repeat(`{"a":`, 100_000), 0), "damaged header"},
		{"deep in a shape", st(`{"a":{"shape":`+strings.Repeat("[", 100_000), 0), "damaged header"},
		{"trailing", st(`{}{}`, 0), "text follows"},
		{"unclosed", st(`{`+one, 8), "damaged header"},
		{"tensor twice", st(`{`+one+`,"a":{"dtype":"F32","shape":[],"data_offsets":[8,12]}}`, 12), "comes twice"},
		{"tensor twice, escaped", st(`{`+one+`,"\u0061":{"dtype":"F32","shape":[],"data_offsets":[8,12]}}`, 12), "comes twice"},
		{"field twice", st(`{"a":{"dtype":"F32","dtype":"F32","shape":[2],"data_offsets":[0,8]}}`, 8), "comes twice"},
		{"field unknown", st(`{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8],"x":1}}`, 8), "unknown field"},
		{"field missing", st(`{"a":{"dtype":"F32","shape":[2]}}`, 8), "is missing"},
		{"metadata of numbers", st(`{"__metadata__":{"a":1},`+one+`}`, 8), "where a string belongs"},
		{"type unknown", st(`{"a":{"dtype":"I64","shape":[1],"data_offsets":[0,8]}}`, 8), "convert it to F32"},
		{"type a number", st(`{"a":{"dtype":1,"shape":[1],"data_offsets":[0,8]}}`, 8), "not a string"},
		{"shape negative", st(`{"a":{"dtype":"F32","shape":[-2],"data_offsets":[0,8]}}`, 8), "whole number"},
		{"shape a fraction", st(`{"a":{"dtype":"F32","shape":[2.0],"data_offsets":[0,8]}}`, 8), "whole number"},
		{"shape too small", st(`{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,8]}}`, 8), "does not fill its 8 bytes"},
		{"shape overflows to the right size", st(`{"a":{"dtype":"F32","shape":[4611686018427387905,2],"data_offsets":[0,8]}}`, 8), "does not fill"},
		{"shape overflows to 0", st(`{"a":{"dtype":"F32","shape":[4294967296,4294967296],"data_offsets":[0,0]}}`, 0), "does not fill"},
		{"too many dimensions", st(`{"a":{"dtype":"F32","shape":[2`+strings.Repeat(",1", 64)+`],"data_offsets":[0,8]}}`, 8), "more than 64"},
		{"offsets backwards", st(`{"a":{"dtype":"F32","shape":[2],"data_offsets":[8,0]}}`, 8), "a begin and an end"},
		{"one offset", st(`{"a":{"dtype":"F32","shape":[2],"data_offsets":[8]}}`, 8), "a begin and an end"},
		{"gap in front", st(`{"a":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}}`, 8), "begins at byte 4, not at 0"},
		{"overlap", st(`{`+one+`,"b":{"dtype":"F32","shape":[2],"data_offsets":[4,12]}}`, 12), "begins at byte 4, not at 8"},
		{"same place", st(`{`+one+`,"b":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}`, 8), "begins at byte 0, not at 8"},
		{"data cut", st(`{`+one+`}`, 7), "is cut at"},
		{"huge promise", st(`{"a":{"dtype":"F32","shape":[1099511627776],"data_offsets":[0,4398046511104]}}`, 8), "is cut at 0.0 of 4398.0 GB"},
		{"largest promise", st(`{"a":{"dtype":"F64","shape":[1152921504606846975],"data_offsets":[0,9223372036854775800]}}`, 8), "more than 2^63 bytes"},
		{"data longer", st(`{`+one+`}`, 9), "bytes, its header says"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "model.safetensors")
			if err := os.WriteFile(path, test.file, 0o644); err != nil {
				t.Fatal(err)
			}
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			_, err := checkpoint.ReadSafetensorsFile(path)
			runtime.ReadMemStats(&after)
			if err == nil || !strings.Contains(err.Error(), test.says) || !strings.HasPrefix(err.Error(), path) || strings.Contains(err.Error(), "\n") {
				t.Errorf("error %v, want one line on %s with %q", err, path, test.says)
			}
			if !errors.Is(err, checkpoint.ErrDamaged) && test.name != "type unknown" {
				t.Errorf("error %v does not match ErrDamaged", err)
			}
			if n := after.TotalAlloc - before.TotalAlloc; n > 8<<20 {
				t.Errorf("allocated %d bytes for a file of %d", n, len(test.file))
			}
		})
	}
}

func TestCutMessage(t *testing.T) {
	file := st(`{"a":{"dtype":"F32","shape":[875000],"data_offsets":[0,3500000]}}`, 1_200_000)
	path := filepath.Join(t.TempDir(), "model.safetensors")
	if err := os.WriteFile(path, file, 0o644); err != nil {
		t.Fatal(err)
	}
	_, err := checkpoint.ReadSafetensorsFile(path)
	if want := path + " is cut at 1.2 of 3.5 MB; copy it again"; err == nil || err.Error() != want {
		t.Errorf("error %v, want %s", err, want)
	}
	if _, err := checkpoint.ReadSafetensorsFile(filepath.Dir(path)); !errors.Is(err, checkpoint.ErrDamaged) {
		t.Errorf("a folder: error %v, want one of damage", err)
	}
	if _, err := checkpoint.ReadSafetensorsFile(path + "x"); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a missing file: error %v, want ErrNotExist", err)
	}
}

// TestShrinksWhileRead: a file that becomes shorter after its size was taken is
// an error, too.
func TestShrinksWhileRead(t *testing.T) {
	file := st(`{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}`, 8)
	if _, err := checkpoint.ReadSafetensors(bytes.NewReader(file[:len(file)-1]), int64(len(file))); !errors.Is(err, io.EOF) {
		t.Errorf("error %v, want one of the end of the file", err)
	}
}

func TestWriteErrors(t *testing.T) {
	twice := []checkpoint.Tensor{{Name: "a"}, {Name: "a"}}
	for i := range twice {
		twice[i].Shape, twice[i].Data = []int{1}, []float32{1}
	}
	if err := checkpoint.WriteSafetensors(io.Discard, twice); err == nil {
		t.Error("a name that comes twice is accepted")
	}
	defer func() {
		if recover() == nil {
			t.Error("data that does not fit its shape does not panic")
		}
	}()
	_ = checkpoint.WriteSafetensors(io.Discard, []checkpoint.Tensor{{Name: "a", Shape: []int{2}, Data: []float32{1}}})
}

func FuzzReadSafetensors(f *testing.F) {
	for _, name := range []string{"torch-f32", "torch-mixed"} {
		b, err := os.ReadFile("testdata/" + name + ".safetensors")
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Add(st(`{"a":{"dtype":"F32","shape":[0,9223372036854775807],"data_offsets":[0,0]}}`, 0))
	f.Add(st(`{"__metadata__":{"a":"b"},"a":{"dtype":"F16","shape":[2],"data_offsets":[0,4]},"b":{"dtype":"BF16","shape":[],"data_offsets":[4,6]}}`, 6))
	f.Fuzz(func(t *testing.T, file []byte) {
		ts, err := checkpoint.ReadSafetensors(bytes.NewReader(file), int64(len(file)))
		if err != nil {
			if strings.Contains(err.Error(), "\n") {
				t.Errorf("message %q is not one line", err)
			}
			return
		}
		// What can be read can be written, and then is read as the same.
		total := 0
		for _, x := range ts {
			total += len(x.Data)
			n := 1
			if slices.Contains(x.Shape, 0) {
				n = 0
			} else {
				for _, d := range x.Shape {
					n *= d
				}
			}
			if n != len(x.Data) {
				t.Fatalf("%q of shape %v has %d values", x.Name, x.Shape, len(x.Data))
			}
		}
		if 2*total > len(file) {
			t.Fatalf("%d values from %d bytes", total, len(file))
		}
		var out bytes.Buffer
		if err := checkpoint.WriteSafetensors(&out, ts); err != nil {
			t.Fatal(err)
		}
		again, err := checkpoint.ReadSafetensors(bytes.NewReader(out.Bytes()), int64(out.Len()))
		if err != nil {
			t.Fatal(err)
		}
		sameTensors(t, again, ts)
	})
}

func BenchmarkSafetensors(b *testing.B) {
	ts := []checkpoint.Tensor{{Name: "w", Shape: []int{1 << 22}, Data: make([]float32, 1<<22)}}
	var file bytes.Buffer
	if err := checkpoint.WriteSafetensors(&file, ts); err != nil {
		b.Fatal(err)
	}
	b.Run("write", func(b *testing.B) {
		b.SetBytes(4 << 22)
		for b.Loop() {
			if err := checkpoint.WriteSafetensors(io.Discard, ts); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("read", func(b *testing.B) {
		b.SetBytes(4 << 22)
		for b.Loop() {
			if _, err := checkpoint.ReadSafetensors(bytes.NewReader(file.Bytes()), int64(file.Len())); err != nil {
				b.Fatal(err)
			}
		}
	})
}

func ExampleWriteSafetensors() {
	var file bytes.Buffer
	err := checkpoint.WriteSafetensors(&file, []checkpoint.Tensor{{Name: "bias", Shape: []int{2}, Data: []float32{1, 2}}})
	if err != nil {
		panic(err)
	}
	ts, err := checkpoint.ReadSafetensors(bytes.NewReader(file.Bytes()), int64(file.Len()))
	fmt.Println(ts[0].Name, ts[0].Shape, ts[0].Data, err)
	// Output: bias [2] [1 2] <nil>
}

// TestCompactTensors: bytes and halves come back as they are where they are asked
// for; as float32, halves are widened and bytes refused.
func TestCompactTensors(t *testing.T) {
	path := filepath.Join(t.TempDir(), "compact.safetensors")
	half := checkpoint.Tensor{Name: "half", Shape: []int{3}, Half: []uint16{0x3f80, 0xc000, 0x7fc0}}
	ints := checkpoint.Tensor{Name: "bytes", Shape: []int{2, 2}, Byte: []int8{1, -127, 127, 0}}
	plain := checkpoint.Tensor{Name: "plain", Shape: []int{1}, Data: []float32{0.5}}
	write := func(ts ...checkpoint.Tensor) {
		var b bytes.Buffer
		if err := checkpoint.WriteSafetensors(&b, ts); err != nil {
			t.Fatal(err)
		}
		if want := checkpoint.SafetensorsSize(ts); int64(b.Len()) != want {
			t.Errorf("%d bytes, SafetensorsSize says %d", b.Len(), want)
		}
		if err := os.WriteFile(path, b.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	write(half, ints, plain)
	got, err := checkpoint.ReadCompactFile(path)
	if want := []checkpoint.Tensor{ints, half, plain}; err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got %v (%v), want %v", got, err, want)
	}
	if _, err := checkpoint.ReadSafetensorsFile(path); err == nil || !strings.Contains(err.Error(), `"bytes" has type "I8"`) {
		t.Errorf("bytes as float32: %v", err)
	}
	write(half, plain)
	got, err = checkpoint.ReadSafetensorsFile(path)
	if err != nil || got[0].Data[1] != -2 || got[0].Half != nil {
		t.Errorf("halves as float32: %v (%v)", got, err)
	}
}
