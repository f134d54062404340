package cli

import (
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/refrain-lm/refrain/internal/typo"
	"github.com/refrain-lm/refrain/train"
)

// valuesOf are the values of flags that take one of a few.
var valuesOf = map[string][]string{
	"tokenizer": {"byte", "char", "word"}, "words": {"whitespace", "punct"}, "normalize": {"none", "NFC", "NFKC", "NFD", "NFKD"},
	"cell": {"rnn", "lstm", "lstm-nog", "gru"}, "gru-reset": {"before", "after"}, "nonlinearity": {"tanh", "relu"}, "bias": {"one", "two"},
	"init": {"refrain", "pytorch", "keras", "uniform"}, "optimizer": {"adam", "adamw", "sgd", "asgd"}, "loss": {"mean", "sum"},
	"schedule": {"constant", "zaremba", "cosine", "one-cycle", "wsd", "plateau"}, "precision": {"auto", "float32", "bfloat16"},
	"recipe": append([]string{"none"}, train.RecipeNames()...), "model": train.Kinds(), "color": {"auto", "always", "never"},
}

// completeValues offers flags' values, and folders where a model is wanted.
func completeValues(cmd *cobra.Command) {
	cmd.Flags().VisitAll(func(f *pflag.Flag) {
		if values := valuesOf[f.Name]; values != nil {
			_ = cmd.RegisterFlagCompletionFunc(f.Name, cobra.FixedCompletions(values, cobra.ShellCompDirectiveNoFileComp))
		}
		if f.Name == "resume" || f.Name == "out" || f.Name == "mix" {
			_ = cmd.RegisterFlagCompletionFunc(f.Name, cobra.FixedCompletions(nil, cobra.ShellCompDirectiveFilterDirs))
		}
	})
	if strings.Contains(cmd.Use, " DIR") {
		cmd.ValidArgsFunction = func(_ *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
			if len(args) == 0 {
				return nil, cobra.ShellCompDirectiveFilterDirs
			}
			return nil, cobra.ShellCompDirectiveDefault
		}
	}
}

func (a *app) completionCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "completion SHELL", Short: "tab completion for a shell", Args: cobra.ArbitraryArgs,
		ValidArgs: []string{"bash", "zsh", "fish", "powershell"}}
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if len(args) != 1 {
			return helpError{cmd}
		}
		root := cmd.Root()
		switch args[0] {
		case "bash":
			return root.GenBashCompletionV2(a.out.w, true)
		case "zsh":
			return root.GenZshCompletion(a.out.w)
		case "fish":
			return root.GenFishCompletion(a.out.w, true)
		case "powershell":
			return root.GenPowerShellCompletionWithDesc(a.out.w)
		}
		near := typo.Nearest(args[0], cmd.ValidArgs)
		if near == "" {
			return usagef("no completion for %s; there is bash, zsh, fish, powershell", quote(args[0]))
		}
		return usagef("no completion for %s; did you mean %s?", quote(args[0]), near)
	}
	a.describe(cmd, page{
		summary:  "Print a shell's completion script: bash, zsh, fish or powershell.",
		examples: []string{"completion bash > ~/.local/share/bash-completion/completions/refrain", `completion zsh > "${fpath[1]}/_refrain"`, "completion fish > ~/.config/fish/completions/refrain.fish"},
	}, nil)
	return cmd
}
