module github.com/refrain-lm/refrain

go 1.26
