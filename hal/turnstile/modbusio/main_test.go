package modbusio

import (
	"testing"

	"bordergate/hal/haltest"
)

func TestMain(m *testing.M) { haltest.Main(m) }
