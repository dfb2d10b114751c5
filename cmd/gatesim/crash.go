package main

import (
	"context"
	"errors"
	"io"
)

func crashCommand(context.Context, []string, io.Writer, io.Writer) (bool, error) {
	return false, errors.New("not built yet")
}
