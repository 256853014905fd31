using System.Diagnostics;
using System.IO.Enumeration;
using System.Text.Json.Nodes;
using NanoFold.Engine;

namespace NanoFold.Cli.Commands.Bench;

/// <summary>The machine code of kernels: a child of this process runs them, and its JIT writes down what it makes of them.</summary>
internal static class Disassembly
{
    private const string Kernels = "NanoFold.Kernels.Cpu.*:*";

    // The float64 lane and the loss belong to the check, not to the kernel.
    private static readonly string[] s_notTheKernel = ["LaneDouble", "double]", "DotOp", "Cpu.Fill"];

    /// <summary>Prints the methods with loops that calculate.</summary>
    /// <param name="output">Where to.</param>
    /// <param name="arguments">A command line that runs the kernels.</param>
    /// <param name="pattern">Of the methods' names, with * and ?.</param>
    public static int Print(Output output, IEnumerable<string> arguments, string pattern)
    {
        JitMethod[] methods =
        [
            .. JitMethod.Parse(Listing(arguments))
                .Where(m => m.Loops.Any(loop => loop.Calculates) && !s_notTheKernel.Any(part => m.Name.Contains(part, StringComparison.Ordinal)))
                .Where(m => FileSystemName.MatchesSimpleExpression(pattern, m.Name)),
        ];
        if (methods.Length == 0)
        {
            throw new UserException($"--method {pattern}: no method with a loop that calculates has such a name");
        }

        foreach (JitMethod method in methods)
        {
            output.Text.WriteLine(method.Text);
        }

        output.Table(
            numbers: true,
            [
                ["innermost loop of", "at", "instructions", "FMA", "loads", "stores"],
                .. methods.SelectMany(m => m.Loops.Where(l => l.Calculates).Select(l => (string[])
                    [m.ShortName, l.Label, $"{l.Instructions}", $"{l.FusedMultiplyAdds}", $"{l.Loads}", $"{l.Stores}"])),
            ]);
        output.Result(new JsonObject { ["methods"] = new JsonArray([.. methods.Select(m => (JsonNode)ToJson(m))]) });
        return Faults.Done;
    }

    private static JsonObject ToJson(JitMethod method) => new()
    {
        ["name"] = method.Name,
        ["bytes"] = method.Bytes,
        ["loops"] = new JsonArray([.. method.Loops.Where(l => l.Calculates).Select(l => (JsonNode)new JsonObject
        {
            ["label"] = l.Label,
            ["instructions"] = l.Instructions,
            ["fma"] = l.FusedMultiplyAdds,
            ["loads"] = l.Loads,
            ["stores"] = l.Stores,
        })]),
    };

    private static string[] Listing(IEnumerable<string> arguments)
    {
        string path = Path.GetTempFileName();
        try
        {
            using Process child = Start(arguments, path);
            Task<string> standard = child.StandardOutput.ReadToEndAsync();
            string error = child.StandardError.ReadToEnd();
            child.WaitForExit();
            _ = standard.Result;
            return child.ExitCode == 0
                ? File.ReadAllLines(path)
                : throw new UserException($"--disassemble: running the kernels failed: {error.Trim().Split('\n')[^1]}");
        }
        finally
        {
            File.Delete(path);
        }
    }

    private static Process Start(IEnumerable<string> arguments, string listing)
    {
        (string file, string[] words) = OwnProgram.Start();
        var start = new ProcessStartInfo(file, [.. words, .. arguments]) { RedirectStandardOutput = true, RedirectStandardError = true };
        start.Environment["DOTNET_JitDisasm"] = Kernels;
        start.Environment["DOTNET_JitStdOutFile"] = listing;
        // Without addresses, which differ from run to run.
        start.Environment["DOTNET_JitDisasmDiffable"] = "1";
        return Process.Start(start)!;
    }
}
