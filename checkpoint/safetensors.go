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

// Tensor is a named row-major array; len(Data) is the product of Shape, 1 for
// an empty Shape.
type Tensor struct {
	Name  string
	Shape []int
	Data  []float32
}

// Elements is the product of a shape.
func elements(shape []int) int {
	n := 1
	for _, d := range shape {
		n *= d
	}
	return n
}

// WriteSafetensors writes the tensors as float32, sorted by name, with a header
// padded to 8 bytes and the metadata that PyTorch's loaders expect
// ({"format":"pt"}) and nothing else: equal tensors give equal bytes. It panics
// when a Data does not fit its Shape, and returns an error for a name that
// comes twice.
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
		for data := t.Data; len(data) > 0; {
			n := min(len(data), len(buf)/4)
			for i, v := range data[:n] {
				binary.LittleEndian.PutUint32(buf[4*i:], math.Float32bits(v))
			}
			if _, err := w.Write(buf[:4*n]); err != nil {
				return err
			}
			data = data[n:]
		}
	}
	return nil
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
		size += 4 * int64(len(t.Data))
	}
	return size
}

// safetensorsHeader is the length and the JSON in front of the data, spaces
// filling it up to 8 bytes.
func safetensorsHeader(sorted []Tensor) ([]byte, error) {
	b := append(make([]byte, 8), `{"__metadata__":{"format":"pt"}`...)
	var at int64
	for i, t := range sorted {
		if got, want := len(t.Data), elements(t.Shape); got != want {
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
		end := at + 4*int64(len(t.Data))
		b = fmt.Appendf(b, `,%s:{"dtype":"F32","shape":%s,"data_offsets":[%d,%d]}`, name, shape, at, end)
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
