package report

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/refrain-lm/refrain/checkpoint"
	"github.com/refrain-lm/refrain/compare"
)

// Options of a report.
type Options struct {
	// Timings includes what differs between two runs of one plan: seconds, speeds,
	// memory, the machine.
	Timings bool
}

// File is one file of a report; Name has forward slashes.
type File struct {
	Name string
	Data []byte
}

// Files makes a report in memory.
func Files(r compare.Result, o Options) ([]File, error) {
	if !o.Timings {
		r = r.WithoutTimings()
	}
	b := &builder{doc: NewDocument(r), timings: o.Timings}
	p := b.page()
	return p.files(b.doc)
}

// files writes the page in every format, and the document that it was made of.
func (p *page) files(document any) ([]File, error) {
	text, err := marshal(document)
	if err != nil {
		return nil, err
	}
	files := []File{{"report.html", p.html()}, {"report.md", p.markdown()}, {"report.json", text}}
	for _, s := range p.sections {
		for _, part := range s.parts {
			switch {
			case part.figure != nil:
				picture, err := part.figure.layout(wide).png()
				if err != nil {
					return nil, err
				}
				files = append(files, File{"figures/" + part.figure.id + ".png", picture}, File{"figures/" + part.figure.id + ".csv", part.figure.table.csv()})
			case part.table != nil && s.id != "data" || part.table != nil && part.table.id == "pairs":
				files = append(files, File{"figures/" + part.table.id + ".csv", part.table.csv()})
			case part.grid != nil:
				files = append(files, File{"figures/" + part.grid.down.id + ".csv", part.grid.down.csv()})
			}
		}
	}
	return files, nil
}

// marshal writes JSON as people read it: indented, < as it is.
func marshal(d any) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", " ")
	if err := e.Encode(d); err != nil {
		return nil, fmt.Errorf("report: %w", err)
	}
	return b.Bytes(), nil
}

// Write makes a report and puts it into dir, which is made if it is not there.
// Files of an earlier report are replaced, each whole.
func Write(dir string, r compare.Result, o Options) error {
	files, err := Files(r, o)
	if err != nil {
		return err
	}
	return write(dir, files)
}

// write replaces files of dir, which is made if it is not there.
func write(dir string, files []File) error {
	if err := os.MkdirAll(filepath.Join(dir, "figures"), 0o777); err != nil {
		return fmt.Errorf("report: %w", err)
	}
	for _, f := range files {
		path := filepath.Join(dir, filepath.FromSlash(f.Name))
		err := checkpoint.ReplaceFile(checkpoint.OS{}, path, func(w io.Writer) error {
			_, err := w.Write(f.Data)
			return err
		})
		if err != nil {
			return fmt.Errorf("report: %w", err)
		}
	}
	return nil
}

// Verdict is the report's first paragraph.
func Verdict(r compare.Result) string {
	b := &builder{doc: NewDocument(r), timings: true}
	text := ""
	for i, s := range b.verdict() {
		if i > 0 {
			text += " "
		}
		text += s.String()
	}
	return text
}
