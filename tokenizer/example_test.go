package tokenizer_test

import (
	"fmt"
	"log"

	"github.com/refrain-lm/refrain/tokenizer"
)

// Train on a text, encode another, decode it again.
func Example() {
	trainer, err := tokenizer.NewTrainer(tokenizer.Options{Kind: tokenizer.Word, Words: tokenizer.Punct})
	if err != nil {
		log.Fatal(err)
	}
	trainer.Write([]byte("Well, said the cat. Well, said the dog.\n"))
	tok, err := trainer.Tokenizer()
	if err != nil {
		log.Fatal(err)
	}
	ids := tok.Encode(nil, []byte("The cat said: well, well.\n"))
	var text []byte
	for _, id := range ids {
		fmt.Printf("%d %s\n", id, tok.TokenText(id))
		text = tok.AppendDecode(text, id)
	}
	fmt.Printf("%s", text)
	// Output:
	// 0 <unk>
	// 7 cat
	// 5 said
	// 0 <unk>
	// 0 <unk>
	// 2 ,
	// 0 <unk>
	// 3 .
	// 1 <eos>
	// <unk> cat said <unk> <unk>, <unk>.
}
