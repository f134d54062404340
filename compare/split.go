package compare

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"unicode/utf8"

	"github.com/refrain-lm/refrain/data"
)

// Files of a comparison's text folder: the parts, and the prepared run whose
// tokenizer and ids all models share.
const (
	textDir   = "text"
	trainText = "train.txt"
	validText = "valid.txt"
	testText  = "test.txt"
	idsDir    = "ids"
)

// split writes the parts of the text into dir: 80/10/10 in that order, cut at line
// ends, but for the parts that the caller gave.
func split(dir string, in Input) (Text, error) {
	var t Text
	if err := os.Mkdir(dir, 0o777); err != nil {
		return t, fmt.Errorf("compare: %w", err)
	}
	sum := sha256.New()
	path := filepath.Join(dir, trainText)
	var err error
	if t.Bytes, err = writeText(path, in.Sources, sum); err != nil {
		return t, err
	}
	t.SHA256 = hex.EncodeToString(sum.Sum(nil))
	t.Name = filepath.Base(in.Sources[0].Name)
	if n := len(in.Sources); n > 1 {
		t.Name = fmt.Sprintf("%s and %d more", t.Name, n-1)
	}
	t.Train.Bytes = t.Bytes
	for _, part := range []struct {
		given []data.Source
		name  string
		info  *Part
	}{{in.Test, testText, &t.Test}, {in.Valid, validText, &t.Valid}} { // from the end
		file := filepath.Join(dir, part.name)
		if len(part.given) > 0 {
			if part.info.Bytes, err = writeText(file, part.given, io.Discard); err != nil {
				return t, err
			}
			continue
		}
		part.info.From, err = cutTail(path, file, t.Train.Bytes, t.Bytes/10)
		if err != nil {
			return t, err
		}
		part.info.Bytes = t.Train.Bytes - part.info.From
		t.Train.Bytes = part.info.From
	}
	return t, t.checkParts()
}

// checkParts refuses what is too short to be cut at all.
func (t Text) checkParts() error {
	if t.Train.Bytes == 0 || t.Valid.Bytes == 0 || t.Test.Bytes == 0 {
		return fmt.Errorf("%s has %d bytes: too few to train, validate and test on; give more text, or --valid FILE and --test FILE", t.Name, t.Bytes)
	}
	return nil
}

// writeText writes the sources one after another and returns their bytes.
func writeText(path string, src []data.Source, sum io.Writer) (n int64, err error) {
	f, err := os.Create(path)
	if err != nil {
		return 0, fmt.Errorf("compare: %w", err)
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	w := io.MultiWriter(f, sum)
	err = data.Chunks(src, func(chunk []byte) error {
		if n == 0 {
			if err := RefuseLabels(src[0].Name, chunk); err != nil {
				return err
			}
		}
		n += int64(len(chunk))
		if _, err := w.Write(chunk); err != nil {
			return fmt.Errorf("compare: writing the parts of the text: %w", err)
		}
		return nil
	})
	return n, err
}

// nearCut is how far before its place a cut looks for a line end.
const nearCut = 1 << 16

// cutTail moves the last bytes of from, of that size, to a file of their own,
// tail or a little more of them, and returns where they began.
func cutTail(from, to string, size, tail int64) (at int64, err error) {
	f, err := os.OpenFile(from, os.O_RDWR, 0)
	if err != nil {
		return 0, fmt.Errorf("compare: %w", err)
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	at = max(0, size-tail)
	near := make([]byte, min(at, nearCut, tail/2+1))
	if _, err := f.ReadAt(near, at-int64(len(near))); err != nil {
		return 0, fmt.Errorf("compare: %w", err)
	}
	if i := bytes.LastIndexByte(near, '\n'); i >= 0 {
		at -= int64(len(near) - i - 1)
	} else {
		at -= int64(halfRune(near, f, at))
	}
	w, err := os.Create(to)
	if err != nil {
		return 0, fmt.Errorf("compare: %w", err)
	}
	_, err = io.Copy(w, io.NewSectionReader(f, at, size-at))
	if err = errors.Join(err, w.Close()); err != nil {
		return 0, fmt.Errorf("compare: writing the parts of the text: %w", err)
	}
	return at, f.Truncate(at)
}

// halfRune is how many bytes of before belong to a character that goes on at.
func halfRune(before []byte, f io.ReaderAt, at int64) int {
	next := make([]byte, 1)
	if _, err := f.ReadAt(next, at); err != nil || utf8.RuneStart(next[0]) {
		return 0
	}
	for n := 1; n < utf8.UTFMax && n <= len(before); n++ {
		if utf8.RuneStart(before[len(before)-n]) {
			return n
		}
	}
	return 0
}

// RefuseLabels refuses a file of examples for classifying; head is how it begins.
func RefuseLabels(name string, head []byte) error {
	if found := data.Labels(name, head); found != "" {
		return errors.New(found)
	}
	return nil
}
