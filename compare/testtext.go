package compare

import (
	"bytes"
	"errors"
	"fmt"
	"path/filepath"

	"github.com/refrain-lm/refrain/data"
	"github.com/refrain-lm/refrain/tokenizer"
)

// blockBytes is the size of the blocks that the test text is cut into.
const blockBytes = 1024

// testPart is the test text as the final models meet it: one stream, whose first
// token is given and not counted.
type testPart struct {
	tok    *tokenizer.Tokenizer
	ids    []int32
	lines  []int // of each id: the line it is in, from 0
	blocks []int // predictions in each block
	bytes  int64 // raw bytes of ids
	lossy  bool
}

// predictions is how many tokens are counted.
func (t testPart) predictions() int { return len(t.ids) - 1 }

// errEnough ends reading.
var errEnough = errors.New("enough")

// readTest encodes the test text, up to about so many predictions, in whole blocks.
func readTest(dir string, tok *tokenizer.Tokenizer, most int64) (testPart, error) {
	t := testPart{tok: tok}
	src, err := data.Sources([]string{filepath.Join(dir, textDir, testText)}, nil, data.ReadOptions{AllowBinary: tok.Kind() == tokenizer.Byte})
	if err != nil {
		return t, err
	}
	var starts []int64 // of each id: its first byte
	line := 0
	err = data.Chunks(src, func(chunk []byte) error {
		for len(chunk) > 0 {
			n := bytes.IndexByte(chunk, '\n') + 1
			whole := n > 0
			if !whole {
				n = len(chunk)
			}
			if int64(len(t.ids)) > most {
				return errEnough
			}
			starts = t.add(chunk[:n], line, starts)
			chunk = chunk[n:]
			if whole {
				line++
			}
		}
		return nil
	})
	if err != nil && !errors.Is(err, errEnough) {
		return t, err
	}
	if len(t.ids) < 2 {
		return t, fmt.Errorf("the test part has %d tokens: there is nothing to predict; give more text, or --test FILE", len(t.ids))
	}
	t.cutBlocks(starts)
	return t, nil
}

// add encodes a line, or a piece of one. A token lies at its share of the line's
// bytes, which is exact where every token is a byte.
func (t *testPart) add(text []byte, line int, starts []int64) []int64 {
	before := len(t.ids)
	t.ids = t.tok.Encode(t.ids, text)
	n := len(t.ids) - before
	for i := range n {
		starts = append(starts, t.bytes+int64(i)*int64(len(text))/int64(n))
		t.lines = append(t.lines, line)
	}
	t.bytes += int64(len(text))
	t.lossy = t.lossy || t.tok.Loses(text)
	return starts
}

// cutBlocks counts the predictions of each block; a last one of less than half
// the size belongs to the one before.
func (t *testPart) cutBlocks(starts []int64) {
	current := int64(-1)
	for _, at := range starts[1:] {
		b := at / blockBytes
		if b != current && (t.bytes-b*blockBytes >= blockBytes/2 || len(t.blocks) == 0) {
			t.blocks = append(t.blocks, 0)
			current = b
		}
		t.blocks[len(t.blocks)-1]++
	}
}
