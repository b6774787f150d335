// Command coredns is CoreDNS with only the plugins that the rehearsal's Corefile names: the stock build
// links the SDKs of several clouds and takes minutes longer to compile.
package main

import (
	"github.com/coredns/coredns/core/dnsserver"
	"github.com/coredns/coredns/coremain"

	_ "github.com/coredns/coredns/plugin/bind"
	_ "github.com/coredns/coredns/plugin/errors"
	_ "github.com/coredns/coredns/plugin/hosts"
	_ "github.com/coredns/coredns/plugin/kubernetes"
	_ "github.com/coredns/coredns/plugin/log"
	_ "github.com/coredns/coredns/plugin/ready"
	_ "github.com/coredns/coredns/plugin/template"
)

// The order in which a query passes through the plugins. The stock order asks template before hosts; here
// template is the last resort, so that it can answer for every name that nobody knows.
func init() {
	dnsserver.Directives = []string{"bind", "ready", "errors", "log", "hosts", "kubernetes", "template"}
}

func main() {
	coremain.Run()
}
