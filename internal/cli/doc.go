// Package cli is the refrain command: one file per subcommand, each turning
// flags into calls of the exported packages and their answers into text.
//
// Rules that hold in every verb: standard output carries the result and
// nothing else; standard error carries the rest. Each stream is judged alone:
// a live bar appears where standard error is a terminal, colour where the
// stream at hand is one. An error is one line. The exit status is 0, 1 (it
// failed) or 2 (wrong usage), or 128+n where signal n ended the work, which
// [Exit] turns into a death by that signal.
//
// A setting is taken from its flag, else from the environment (REFRAIN_LR for
// --lr), else from the file named by --config (YAML, one "name: value" a
// line), else from the recipe, the plan or the default.
package cli
