package train

import "github.com/refrain-lm/refrain/checkpoint"

// The parsers, for fuzzing without files.
var (
	ParsePlan    = parsePlan
	ParseState   = parseState
	ParseMetrics = parseMetrics
)

// SetDisk lets a test stand between a job and its disk.
func (j *Job) SetDisk(disk checkpoint.FS) { j.folder.disk = disk }
