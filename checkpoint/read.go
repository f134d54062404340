package checkpoint

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"math/bits"
	"slices"
	"strconv"
)

const (
	metadataKey = "__metadata__"
	maxHeader   = 100_000_000 // bytes; the reference implementation's limit
	maxDims     = 64          // as many as PyTorch knows
)

// ReadSafetensors reads all tensors of a safetensors file of size bytes, in the
// order of their data. F32, F64, F16 and BF16 become float32; other types are
// an error. Nothing is allocated on the word of the file alone: the header may
// be no longer than the file, and every tensor's place must agree with its
// shape, lie within the file, and leave neither gap nor overlap, before memory
// for any of them is taken. Errors match [ErrDamaged] where the file is at fault.
func ReadSafetensors(r io.ReaderAt, size int64) ([]Tensor, error) {
	return readSafetensors("safetensors data", r, size, false)
}

// ReadSafetensorsFile is [ReadSafetensors] of the file at path; its errors name it.
func ReadSafetensorsFile(path string) ([]Tensor, error) { return readFile(path, false) }

// ReadCompactFile is [ReadSafetensorsFile] that takes I8 too, and keeps it and BF16
// as they are, in Tensor.Byte and Tensor.Half.
func ReadCompactFile(path string) ([]Tensor, error) { return readFile(path, true) }

func readFile(path string, compact bool) ([]Tensor, error) {
	f, err := openRegular(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, fmt.Errorf("%s cannot be read: %w", path, err)
	}
	return readSafetensors(path, f, info.Size(), compact)
}

// entry is one tensor of a header; begin and end count from the data's start.
type entry struct {
	name       string
	dtype      string
	shape      []int
	begin, end int64
}

func readSafetensors(name string, r io.ReaderAt, size int64, compact bool) ([]Tensor, error) {
	if size < 8 {
		return nil, damaged("%s has %d bytes and is no safetensors file; copy it again", name, size)
	}
	var lead [8]byte
	if _, err := r.ReadAt(lead[:], 0); err != nil {
		return nil, readError(name, err)
	}
	n := binary.LittleEndian.Uint64(lead[:])
	if n > maxHeader {
		return nil, damaged("%s is no safetensors file (a header of %d bytes); check its name", name, n)
	}
	start := 8 + int64(n)
	if start > size {
		return nil, cut(name, size, start)
	}
	entries, err := readHeader(io.NewSectionReader(r, 8, int64(n)))
	if err != nil {
		return nil, damaged("%s has a damaged header (%v); copy it again", name, err)
	}
	if err := checkEntries(name, entries, start, size, compact); err != nil {
		return nil, err
	}
	return readTensors(name, r, start, entries, compact)
}

// readHeader reads the JSON object token by token: nothing nests where it
// should not, no key is unknown, none comes twice.
func readHeader(r io.Reader) ([]entry, error) {
	dec := json.NewDecoder(r)
	dec.UseNumber()
	if err := expect(dec, json.Delim('{')); err != nil {
		return nil, err
	}
	var list []entry
	seen := map[string]bool{}
	for dec.More() {
		name, err := key(dec, seen)
		if err != nil {
			return nil, err
		}
		if name == metadataKey {
			if err := skipMetadata(dec); err != nil {
				return nil, err
			}
			continue
		}
		e, err := readEntry(dec, name)
		if err != nil {
			return nil, fmt.Errorf("tensor %.80q: %w", name, err)
		}
		list = append(list, e)
	}
	if err := expect(dec, json.Delim('}')); err != nil {
		return nil, err
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("text follows its end")
	}
	return list, nil
}

// skipMetadata reads the object of strings under __metadata__, which means
// nothing here.
func skipMetadata(dec *json.Decoder) error {
	if err := expect(dec, json.Delim('{')); err != nil {
		return err
	}
	seen := map[string]bool{}
	for dec.More() {
		if _, err := key(dec, seen); err != nil {
			return err
		}
		tok, err := dec.Token()
		if err != nil {
			return err
		}
		if _, ok := tok.(string); !ok {
			return fmt.Errorf("metadata has %.80v where a string belongs", tok)
		}
	}
	return expect(dec, json.Delim('}'))
}

func readEntry(dec *json.Decoder, name string) (entry, error) {
	e := entry{name: name}
	if err := expect(dec, json.Delim('{')); err != nil {
		return e, err
	}
	seen := map[string]bool{}
	for dec.More() {
		field, err := key(dec, seen)
		if err != nil {
			return e, err
		}
		if err := e.readField(dec, field); err != nil {
			return e, err
		}
	}
	if len(seen) != 3 {
		return e, errors.New("dtype, shape or data_offsets is missing")
	}
	return e, expect(dec, json.Delim('}'))
}

func (e *entry) readField(dec *json.Decoder, field string) error {
	switch field {
	case "dtype":
		tok, err := dec.Token()
		if err != nil {
			return err
		}
		s, ok := tok.(string)
		if !ok {
			return fmt.Errorf("dtype is %.80v, not a string", tok)
		}
		e.dtype = s
	case "shape":
		dims, err := numbers(dec, maxDims)
		if err != nil {
			return fmt.Errorf("shape: %w", err)
		}
		e.shape = make([]int, len(dims))
		for i, d := range dims {
			if d > math.MaxInt {
				return fmt.Errorf("shape: %d is too large for this machine", d)
			}
			e.shape[i] = int(d)
		}
	case "data_offsets":
		at, err := numbers(dec, 2)
		if err != nil {
			return fmt.Errorf("data_offsets: %w", err)
		}
		if len(at) != 2 || at[0] > at[1] {
			return fmt.Errorf("data_offsets are %v, want a begin and an end", at)
		}
		e.begin, e.end = at[0], at[1]
	default:
		return fmt.Errorf("unknown field %.80q", field)
	}
	return nil
}

func expect(dec *json.Decoder, want json.Delim) error {
	tok, err := dec.Token()
	if err != nil {
		return err
	}
	if tok != want {
		return fmt.Errorf("%.80v where %v belongs", tok, want)
	}
	return nil
}

func key(dec *json.Decoder, seen map[string]bool) (string, error) {
	tok, err := dec.Token()
	if err != nil {
		return "", err
	}
	name, ok := tok.(string)
	if !ok {
		return "", fmt.Errorf("%.80v where a name belongs", tok)
	}
	if seen[name] {
		return "", fmt.Errorf("%.80q comes twice", name)
	}
	seen[name] = true
	return name, nil
}

// numbers reads an array of at most limit whole numbers that are not negative.
func numbers(dec *json.Decoder, limit int) ([]int64, error) {
	if err := expect(dec, json.Delim('[')); err != nil {
		return nil, err
	}
	var list []int64
	for dec.More() {
		tok, err := dec.Token()
		if err != nil {
			return nil, err
		}
		num, ok := tok.(json.Number)
		if !ok {
			return nil, fmt.Errorf("%.80v where a number belongs", tok)
		}
		v, err := strconv.ParseInt(num.String(), 10, 64)
		if err != nil || v < 0 {
			return nil, fmt.Errorf("%.80q is not a whole number from 0 to 2^63-1", num.String())
		}
		if len(list) == limit {
			return nil, fmt.Errorf("more than %d numbers", limit)
		}
		list = append(list, v)
	}
	return list, expect(dec, json.Delim(']'))
}

// dtypeSize is the width in bytes of the types that can become float32, else 0;
// with compact also of those that stay what they are.
func dtypeSize(dtype string, compact bool) int64 {
	switch dtype {
	case "I8":
		if compact {
			return 1
		}
	case "F64":
		return 8
	case "F32":
		return 4
	case "F16", "BF16":
		return 2
	}
	return 0
}

// checkEntries sorts the entries by place and checks that they fit their shapes,
// each other and the file.
func checkEntries(name string, list []entry, start, size int64, compact bool) error {
	slices.SortFunc(list, func(a, b entry) int {
		if a.begin != b.begin {
			return compare(a.begin, b.begin)
		}
		return compare(a.end, b.end)
	})
	var at int64
	for _, e := range list {
		width := dtypeSize(e.dtype, compact)
		if width == 0 {
			return fmt.Errorf("%s: tensor %.80q has type %.20q: convert it to F32, F64, F16 or BF16", name, e.name, e.dtype)
		}
		bytes, ok := byteSize(e.shape, width)
		if !ok || bytes != e.end-e.begin {
			return damaged("%s: tensor %.80q of shape %v and type %s does not fill its %d bytes; copy it again", name, e.name, e.shape, e.dtype, e.end-e.begin)
		}
		if e.begin != at {
			return damaged("%s: tensor %.80q begins at byte %d, not at %d; copy it again", name, e.name, e.begin, at)
		}
		at = e.end
	}
	switch have := size - start; {
	case have < at && at > math.MaxInt64-start:
		return damaged("%s promises more than 2^63 bytes; copy it again", name)
	case have < at:
		return cut(name, size, start+at)
	case have > at:
		return damaged("%s has %d bytes, its header says %d; copy it again", name, size, start+at)
	}
	return nil
}

func compare(a, b int64) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}

// byteSize is the product of shape and width; ok is false where that overflows.
func byteSize(shape []int, width int64) (n int64, ok bool) {
	if slices.Contains(shape, 0) {
		return 0, true
	}
	total := uint64(width)
	for _, d := range shape {
		hi, lo := bits.Mul64(total, uint64(d))
		if hi != 0 || lo > math.MaxInt64 {
			return 0, false
		}
		total = lo
	}
	return int64(total), true
}

func readTensors(name string, r io.ReaderAt, start int64, list []entry, compact bool) ([]Tensor, error) {
	ts := make([]Tensor, len(list))
	buf := make([]byte, 1<<16)
	for i, e := range list {
		width := int(dtypeSize(e.dtype, compact))
		all := int(e.end-e.begin) / width
		t := Tensor{Name: e.name, Shape: e.shape}
		switch {
		case compact && e.dtype == "I8":
			t.Byte = make([]int8, all)
		case compact && e.dtype == "BF16":
			t.Half = make([]uint16, all)
		default:
			t.Data = make([]float32, all)
		}
		for at, most := 0, len(buf)/width; at < all; at += most {
			part := buf[:min(most, all-at)*width]
			if got, err := r.ReadAt(part, start+e.begin+int64(at*width)); got < len(part) {
				return nil, readError(name, err)
			}
			t.decode(at, part, e.dtype)
		}
		ts[i] = t
	}
	return ts, nil
}

// decode fills the values from value at on with what src holds.
func (t Tensor) decode(at int, src []byte, dtype string) {
	switch {
	case t.Byte != nil:
		for i, b := range src {
			t.Byte[at+i] = int8(b)
		}
	case t.Half != nil:
		for i := range len(src) / 2 {
			t.Half[at+i] = binary.LittleEndian.Uint16(src[2*i:])
		}
	default:
		decode(t.Data[at:at+len(src)/int(dtypeSize(dtype, false))], src, dtype)
	}
}

// readError is for a file that could not be read, or that shrank meanwhile.
func readError(name string, err error) error {
	return fmt.Errorf("%s cannot be read (%w): check the disk", name, err)
}

func decode(dst []float32, src []byte, dtype string) {
	le := binary.LittleEndian
	switch dtype {
	case "F32":
		for i := range dst {
			dst[i] = math.Float32frombits(le.Uint32(src[4*i:]))
		}
	case "F64":
		for i := range dst {
			dst[i] = float32(math.Float64frombits(le.Uint64(src[8*i:])))
		}
	case "BF16":
		for i := range dst {
			dst[i] = math.Float32frombits(uint32(le.Uint16(src[2*i:])) << 16)
		}
	case "F16":
		for i := range dst {
			dst[i] = fromHalf(le.Uint16(src[2*i:]))
		}
	}
}

// fromHalf widens an IEEE 754 half: 1 sign, 5 exponent, 10 fraction bits.
func fromHalf(h uint16) float32 {
	sign := uint32(h>>15) << 31
	exp, frac := uint32(h>>10&31), uint32(h&1023)
	switch exp {
	case 0: // zero and subnormals: frac · 2⁻²⁴, exact in float32
		v := float32(frac) * (1.0 / (1 << 24))
		return math.Float32frombits(math.Float32bits(v) | sign)
	case 31: // infinity and NaN
		return math.Float32frombits(sign | 255<<23 | frac<<13)
	}
	return math.Float32frombits(sign | (exp+127-15)<<23 | frac<<13)
}
