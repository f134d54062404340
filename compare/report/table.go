package report

import (
	"encoding/csv"
	"math"
	"strconv"
	"strings"
)

// table is what stands behind a figure, or stands alone. The first column names
// the row.
type table struct {
	id, caption string
	columns     []column
	rows        [][]cell
}

type column struct {
	head string // with its unit
	key  string // in CSV
	text bool   // left-aligned
}

// cell holds a number or a text; the text is what people read.
type cell struct {
	text    string
	value   float64
	numeric bool
	own     bool // corpus text
	shade   int  // 1 to 5; 0: none
	kind    string
}

// num is a number with its reading.
func num(value float64, text string) cell {
	if math.IsNaN(value) || math.IsInf(value, 0) {
		return cell{text: "–", value: math.NaN(), numeric: true}
	}
	return cell{text: text, value: value, numeric: true}
}

func decimal(value float64, decimals int) cell { return num(value, fixed(value, decimals)) }

func whole(n int64) cell { return num(float64(n), count(n)) }

func word(text string) cell { return cell{text: text} }

// named is the cell of a model's name.
func named(name, kind string) cell { return cell{text: name, kind: kind} }

// add appends a row and returns its number.
func (t *table) add(cells ...cell) int {
	t.rows = append(t.rows, cells)
	return len(t.rows) - 1
}

// csv writes numbers in full.
func (t *table) csv() []byte {
	var b strings.Builder
	w := csv.NewWriter(&b)
	record := make([]string, len(t.columns))
	for i, c := range t.columns {
		record[i] = c.key
	}
	_ = w.Write(record) // a strings.Builder takes everything
	for _, row := range t.rows {
		for i, c := range row {
			switch {
			case !c.numeric:
				record[i] = c.text
			case math.IsNaN(c.value):
				record[i] = ""
			default:
				record[i] = strconv.FormatFloat(c.value, 'g', -1, 64)
			}
		}
		_ = w.Write(record)
	}
	w.Flush()
	return []byte(b.String())
}
