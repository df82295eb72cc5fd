// Command planted is what tests of the engine put in the place of an agent. Its tag "do"
// says what it does.
package main

import (
	"fmt"
	"net"
	"os"
	"strings"
	"time"

	"orrery/cmd/internal/network"
)

func main() {
	fmt.Println("planted")
	what := ""
	for _, arg := range os.Args {
		if do, ok := strings.CutPrefix(arg, "do="); ok {
			what = do
		}
	}
	switch what {
	case "panic":
		go func() { panic("a bug that was planted") }()
	case "trap":
		for i := 0; ; i++ { // the kernel ends what never waits
			_ = time.Now()
		}
	case "give-up":
		fmt.Println("cannot go on")
		os.Exit(1)
	case "no-such-device":
		_, err := network.Device("toaster")
		fmt.Println(err)
	case "babble":
		fmt.Fprint(open("tap"), "\xffbabble")
		fmt.Fprint(open("supervisor"), "\x06babble")
	case "obey":
		order := make([]byte, 64)
		n, err := open("control").Read(order)
		fmt.Printf("told to %s, %v\n", order[:n], err)
		return
	}
	time.Sleep(time.Hour)
}

func open(name string) net.Conn {
	device, err := network.Device(name)
	if err != nil {
		panic(err)
	}
	return device
}
