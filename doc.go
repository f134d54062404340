// Package refrain is the tour of Refrain, which trains, evaluates and runs
// recurrent language models on a CPU: in pure Go, without a C compiler, Python
// or a GPU.
//
// The package exports nothing; its examples show how the others go together.
// Where to start:
//
//   - [github.com/refrain-lm/refrain/tokenizer]: text to ids and back
//   - [github.com/refrain-lm/refrain/lm]: the model; New, Load, Loss, Stepper
//   - [github.com/refrain-lm/refrain/train]: from text to a model folder
//   - [github.com/refrain-lm/refrain/eval]: perplexity, bits per byte, scores of lines, generated text
//   - [github.com/refrain-lm/refrain/sample]: temperature, top-k, top-p and their like
//   - [github.com/refrain-lm/refrain/nn]: the cells: equations, Forward, Backward and Step side by side
//
// The command is in cmd/refrain. ARCHITECTURE.md has the map.
package refrain
