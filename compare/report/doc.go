// Package report writes a comparison as a page that one would print, and as
// Markdown, JSON, CSV and PNG.
//
//	err := report.Write("report", result, report.Options{Timings: true})
//
// [Write] judges the result ([compare.Judge]), and leaves in the folder
//
//	report.html     one self-contained file: no request, no image, no font; works
//	                with scripts off, on a phone, on paper, in forced colours
//	report.md       the same for text
//	report.json     a [Document]: all that was measured, all that is said
//	figures/        each figure as PNG and its numbers as CSV
//
// The verdict comes first, in words that fixed rules allow; twelve headings
// follow, each a question. A part that was not measured is left out, and a
// sentence says so. Every number in a sentence carries its place in report.json.
//
// A figure is laid out once, from the rows of its table, as a list of shapes;
// SVG at two widths and PNG are the same list, so that they cannot disagree.
// Corpus text is escaped, isolated and stripped of control characters. The same
// result gives the same bytes; without Options.Timings, so does the same plan
// with the same seeds on another day.
package report
