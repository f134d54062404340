package checkpoint

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"slices"
	"strings"
)

// Tensor is a named row-major array; its length is the product of Shape, 1 for
// an empty Shape. Data holds its numbers, unless Half or Byte does.
type Tensor struct {
	Name  string
	Shape []int
	Data  []float32
	Half  []uint16 // bfloat16
	Byte  []int8
}

// Len is the number of values.
func (t Tensor) Len() int { return max(len(t.Data), len(t.Half), len(t.Byte)) }

// dtype is the format's name of how the values are kept, and their size in bytes.
func (t Tensor) dtype() (name string, width int64) {
	switch {
	case t.Half != nil:
		return "BF16", 2
	case t.Byte != nil:
		return "I8", 1
	}
	return "F32", 4
}

func (t Tensor) bytes() int64 {
	_, width := t.dtype()
	return width * int64(t.Len())
}

// Elements is the product of a shape.
func elements(shape []int) int {
	n := 1
	for _, d := range shape {
		n *= d
	}
	return n
}

// WriteSafetensors writes the tensors, sorted by name, with a header padded to 8
// bytes and the metadata that PyTorch's loaders expect ({"format":"pt"}) and
// nothing else: equal tensors give equal bytes. Where some are Byte, which no
// PyTorch model makes sense of, that is left out too. It panics when values do not
// fit their Shape, and returns an error for a name that comes twice.
func WriteSafetensors(w io.Writer, ts []Tensor) error {
	sorted := slices.Clone(ts)
	slices.SortFunc(sorted, func(a, b Tensor) int { return strings.Compare(a.Name, b.Name) })
	header, err := safetensorsHeader(sorted)
	if err != nil {
		return err
	}
	if _, err := w.Write(header); err != nil {
		return err
	}
	buf := make([]byte, 1<<16)
	for _, t := range sorted {
		_, width := t.dtype()
		for at, most := 0, len(buf)/int(width); at < t.Len(); at += most {
			n := min(most, t.Len()-at)
			t.encode(buf, at, n)
			if _, err := w.Write(buf[:n*int(width)]); err != nil {
				return err
			}
		}
	}
	return nil
}

// encode writes n values from value at on to buf.
func (t Tensor) encode(buf []byte, at, n int) {
	switch {
	case t.Half != nil:
		for i, v := range t.Half[at : at+n] {
			binary.LittleEndian.PutUint16(buf[2*i:], v)
		}
	case t.Byte != nil:
		for i, v := range t.Byte[at : at+n] {
			buf[i] = byte(v)
		}
	default:
		for i, v := range t.Data[at : at+n] {
			binary.LittleEndian.PutUint32(buf[4*i:], math.Float32bits(v))
		}
	}
}

// SafetensorsSize is the number of bytes that [WriteSafetensors] will write.
func SafetensorsSize(ts []Tensor) int64 {
	sorted := slices.Clone(ts)
	slices.SortFunc(sorted, func(a, b Tensor) int { return strings.Compare(a.Name, b.Name) })
	header, err := safetensorsHeader(sorted)
	if err != nil {
		return 0
	}
	size := int64(len(header))
	for _, t := range ts {
		size += t.bytes()
	}
	return size
}

// safetensorsHeader is the length and the JSON in front of the data, spaces
// filling it up to 8 bytes.
func safetensorsHeader(sorted []Tensor) ([]byte, error) {
	b := append(make([]byte, 8), `{"__metadata__":{"format":"pt"}`...)
	if slices.ContainsFunc(sorted, func(t Tensor) bool { return t.Byte != nil }) {
		b = append(make([]byte, 8), `{"__metadata__":{}`...)
	}
	var at int64
	for i, t := range sorted {
		if got, want := t.Len(), elements(t.Shape); got != want {
			panic(fmt.Sprintf("checkpoint: tensor %s has %d values, its shape %v wants %d", t.Name, got, t.Shape, want))
		}
		if t.Name == metadataKey || i > 0 && t.Name == sorted[i-1].Name {
			return nil, fmt.Errorf("checkpoint: tensor name %q comes twice or is reserved: rename it", t.Name)
		}
		name, err := json.Marshal(t.Name)
		if err != nil {
			return nil, err
		}
		shape, err := json.Marshal(append([]int{}, t.Shape...))
		if err != nil {
			return nil, err
		}
		dtype, _ := t.dtype()
		end := at + t.bytes()
		b = fmt.Appendf(b, `,%s:{"dtype":%q,"shape":%s,"data_offsets":[%d,%d]}`, name, dtype, shape, at, end)
		at = end
	}
	b = append(b, '}')
	for len(b)%8 != 0 {
		b = append(b, ' ')
	}
	if len(b)-8 > maxHeader {
		return nil, fmt.Errorf("checkpoint: %d tensors need a header of %d bytes, the format allows %d: save fewer in one file", len(sorted), len(b)-8, maxHeader)
	}
	binary.LittleEndian.PutUint64(b, uint64(len(b)-8))
	return b, nil
}
