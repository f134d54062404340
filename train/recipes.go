package train

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// recipes are published settings, by flag name.
var recipes = map[string]map[string]string{
	// Zaremba, Sutskever and Vinyals 2014, "Recurrent neural network
	// regularization", the small model: not regularised; the loss is summed
	// over the 20 steps of a window and averaged over the batch.
	"zaremba-small": {
		"tokenizer": "word", "cell": "lstm", "nlayers": "2", "nhid": "200", "emsize": "200",
		"init": "uniform", "init-range": "0.1", "forget-bias": "0", "dropout": "0", "dropout-input": "0", "dropout-layer": "0", "dropout-output": "0",
		"optimizer": "sgd", "lr": "1", "schedule": "zaremba", "lr-hold": "4", "lr-decay": "0.5",
		"clip": "5", "loss": "sum", "bptt": "20", "batch-size": "20", "epochs": "13",
		"tied": "false", "dropout-weight": "0", "variational": "false", "bias": "one",
		"weight-decay": "0", "average": "0", "random-offset": "false", "state-reset": "0", "precision": "float32",
	},
	// The same paper's medium model: 2x650 with dropout 0.5.
	"zaremba-medium": {
		"tokenizer": "word", "cell": "lstm", "nlayers": "2", "nhid": "650", "emsize": "650",
		"init": "uniform", "init-range": "0.05", "forget-bias": "0", "dropout": "0.5", "dropout-input": "0.5", "dropout-layer": "0.5", "dropout-output": "0.5",
		"optimizer": "sgd", "lr": "1", "schedule": "zaremba", "lr-hold": "6", "lr-decay": "0.8333333333",
		"clip": "5", "loss": "sum", "bptt": "35", "batch-size": "20", "epochs": "39",
		"tied": "false", "dropout-weight": "0", "variational": "false", "bias": "one",
		"weight-decay": "0", "average": "0", "random-offset": "false", "state-reset": "0", "precision": "float32",
	},
}

// RecipeNames lists the recipes, sorted.
func RecipeNames() []string { return slices.Sorted(maps.Keys(recipes)) }

// Recipe returns a recipe's settings by flag name.
func Recipe(name string) (map[string]string, error) {
	r, ok := recipes[name]
	if !ok {
		return nil, fmt.Errorf("no recipe %q; there are %s", name, strings.Join(RecipeNames(), ", "))
	}
	return maps.Clone(r), nil
}
