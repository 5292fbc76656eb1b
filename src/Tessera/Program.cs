using Tessera.Cli;
using Tessera.Nginx;

Caller caller = Caller.FromProcess();
return NginxCommand.IsMeant(args, out string[] rest)
    ? await NginxCommand.RunAsync(rest, caller)
    : await CommandLine.RunAsync(args, caller);
