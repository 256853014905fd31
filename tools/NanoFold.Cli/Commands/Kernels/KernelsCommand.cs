using System.CommandLine;
using NanoFold.Engine;
using NanoFold.Engine.Configuration;

namespace NanoFold.Cli.Commands.Kernels;

/// <summary><c>kernels</c>: the programs of CUDA devices, as PTX in a folder, checked, and what an assembler makes of them.</summary>
internal static class KernelsCommand
{
    public static void Build(VerbCommand command)
    {
        Option<string?> emit = command.Text("--emit", "DIR", "A new folder: a file of PTX for each program and programs.tsv, a table of them");
        Option<string[]> assemble = command.Texts("--assemble", "ARCH", "Run ptxas over them for an architecture such as sm_90a (several with commas): registers, spilled bytes, remarks; groups.tsv has the worst of each group");
        Option<string[]> only = command.Texts("--only", "TEXT", "Only programs whose name has this text; several with commas, each of which it must have");
        Option<bool> sample = command.Flag("--sample", "One program of each group: minutes instead of an hour with --assemble");
        command.Common = [CommonOptions.Threads];
        command.JsonKeys = """
            programs, faults [{name, fault}], emitted (the folder, or null), assembler (version of ptxas, or null), seconds,
              groups [{name, programs, architectures [{architecture, programs, leastRegisters, mostRegisters, spilling (programs), mostSpilledBytes}]}], remarks [{name, architecture, remark}]
            """;
#if GPU
        command.Does(invocation => new KernelEmission(invocation, invocation.Get(emit), Split(invocation.Get(assemble)), Split(invocation.Get(only)), invocation.Get(sample)).Run());
#else
        command.Does(_ => throw new UserException($"kernels: {Gpus.WhyNot(Devices.Cuda)}"));
#endif
    }

#if GPU
    private static string[] Split(string[]? texts) => [.. (texts ?? []).SelectMany(text => text.Split(',', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries)).Distinct()];
#endif
}
