package cli

import (
	"github.com/spf13/cobra"
)

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
		near := nearest(args[0], cmd.ValidArgs)
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
