package data

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"hash"
	"io"
	"unicode/utf8"
)

// headSize is how much of a text is looked at to tell text from binary.
const headSize = 1 << 16

// byteOrderMark is U+FEFF in UTF-8.
const byteOrderMark = "\ufeff"

// A NotTextError says why a source is not text that can be trained on.
type NotTextError struct {
	Name string
	Why  string // what it is
	Do   string // what to do about it
}

func (e *NotTextError) Error() string {
	return fmt.Sprintf("data: %s is %s: %s", e.Name, e.Why, e.Do)
}

// A textReader gives the text of a source: unpacked, without its byte order
// mark, and refused at once where it isn't text.
type textReader struct {
	name   string
	raw    *hashingReader
	stored *bufio.Reader // raw, buffered
	text   *bufio.Reader
	close  []io.Closer
	packed bool
	footer string // what the stored bytes end with, if the unpacker doesn't look
	mark   int    // bytes of the byte order mark
	read   int64
	whole  bool // the end has been reached
	err    error
}

// newTextReader reads the text in raw; file, if not nil, is closed with it.
func newTextReader(name string, raw io.Reader, file io.Closer, o ReadOptions) (*textReader, error) {
	r := &textReader{name: name, raw: &hashingReader{r: raw, hash: sha256.New()}}
	if file != nil {
		r.close = append(r.close, file)
	}
	if err := r.begin(o); err != nil {
		r.Close()
		return nil, err
	}
	return r, nil
}

func (r *textReader) begin(o ReadOptions) error {
	r.stored = bufio.NewReaderSize(r.raw, headSize)
	text, err := r.unpack(o)
	if err != nil {
		return err
	}
	r.text = bufio.NewReaderSize(text, headSize)
	head, err := r.text.Peek(headSize)
	if err != nil && err != io.EOF {
		return r.failed(err)
	}
	if err := checkText(r.name, head, o); err != nil {
		return err
	}
	if !o.AllowBinary && bytes.HasPrefix(head, []byte(byteOrderMark)) {
		r.mark = len(byteOrderMark)
		_, err = r.text.Discard(r.mark)
		return err
	}
	return nil
}

// Read implements [io.Reader].
func (r *textReader) Read(p []byte) (int, error) {
	if r.err != nil {
		return 0, r.err
	}
	n, err := r.text.Read(p)
	r.read += int64(n)
	if err == io.EOF {
		// What an archive has after its end belongs to the file's hash.
		if _, e := io.Copy(io.Discard, r.stored); e != nil {
			err = e
		} else if r.footer != "" && string(r.raw.tail[:]) != r.footer {
			err = io.ErrUnexpectedEOF
		} else {
			r.whole = true
		}
	}
	if err != nil && err != io.EOF {
		err = r.failed(err)
	}
	r.err = err
	return n, err
}

// failed explains an error of the file or its unpacking.
func (r *textReader) failed(err error) error {
	if r.packed && !r.raw.failed {
		if _, ok := err.(*tooLargeError); ok {
			return fmt.Errorf("data: %s: %w", r.name, err)
		}
		return fmt.Errorf("data: %s is cut or damaged after %d bytes of its text: copy it again: %w", r.name, r.read, err)
	}
	return fmt.Errorf("data: %s: %w", r.name, err)
}

// SHA256 returns the SHA-256 of the stored bytes, in hexadecimal, once all
// have been read; before, it is empty.
func (r *textReader) SHA256() string {
	if !r.whole {
		return ""
	}
	return hex.EncodeToString(r.raw.hash.Sum(nil))
}

// Close implements [io.Closer].
func (r *textReader) Close() error {
	var err error
	for i := len(r.close) - 1; i >= 0; i-- {
		if e := r.close[i].Close(); e != nil && err == nil {
			err = fmt.Errorf("data: %s: %w", r.name, e)
		}
	}
	r.close = nil
	return err
}

// A hashingReader counts and hashes what passes.
type hashingReader struct {
	r      io.Reader
	hash   hash.Hash
	n      int64
	tail   [2]byte // the last two bytes that are not NUL (xz pads with those)
	failed bool    // the reader below has failed, not what is made of it
}

func (h *hashingReader) Read(p []byte) (int, error) {
	n, err := h.r.Read(p)
	h.hash.Write(p[:n])
	h.n += int64(n)
	if end := bytes.TrimRight(p[:n], "\x00"); len(end) >= len(h.tail) {
		copy(h.tail[:], end[len(end)-len(h.tail):])
	} else if len(end) == 1 {
		h.tail = [2]byte{h.tail[1], end[0]}
	}
	h.failed = h.failed || err != nil && err != io.EOF
	return n, err
}

// foreign are the first bytes of files that hold text but are not text.
var foreign = []struct{ magic, why, do string }{
	{"PK\x03\x04", "a zip archive", "unpack it first"},
	{"7z\xbc\xaf\x27\x1c", "a 7z archive", "unpack it first"},
	{"Rar!\x1a\x07", "a rar archive", "unpack it first"},
	{"%PDF-", "a PDF", "extract its text first (pdftotext)"},
	{"\xff\xfe", "UTF-16 text", "convert it first (iconv -f UTF-16 -t UTF-8)"},
	{"\xfe\xff", "UTF-16 text", "convert it first (iconv -f UTF-16 -t UTF-8)"},
	{"SQLite format 3\x00", "a database", "export its text first"},
}

// checkText judges a text by its first bytes.
func checkText(name string, head []byte, o ReadOptions) error {
	if len(head) == 0 || string(head) == byteOrderMark {
		return &NotTextError{name, "empty", "give a file with text in it"}
	}
	if o.AllowBinary {
		return nil
	}
	for _, f := range foreign {
		if bytes.HasPrefix(head, []byte(f.magic)) {
			return &NotTextError{name, f.why, f.do}
		}
	}
	if i := bytes.IndexByte(head, 0); i >= 0 {
		return &NotTextError{name, fmt.Sprintf("binary (a NUL at byte %d)", i), "give text, or use the byte tokenizer"}
	}
	if bad := invalid(head); bad*10 > len(head) {
		return &NotTextError{name, fmt.Sprintf("not UTF-8 text (%d %% of its first bytes are invalid)", bad*100/len(head)),
			"convert it first (iconv -t UTF-8), or use the byte tokenizer"}
	}
	return nil
}

// invalid counts the bytes of head that are not UTF-8, a character cut off at
// its end apart.
func invalid(head []byte) int {
	bad := 0
	for len(head) > 0 {
		r, n := utf8.DecodeRune(head)
		if r == utf8.RuneError && n == 1 {
			if len(head) < utf8.UTFMax && !utf8.FullRune(head) {
				break
			}
			bad++
		}
		head = head[n:]
	}
	return bad
}
