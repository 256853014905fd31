using System.CommandLine;
using NanoFold.Cli.Options;

namespace NanoFold.Cli;

/// <summary>The options that every verb has.</summary>
internal static class CommonOptions
{
    public const string Json = "--json";
    public const string Device = "--device";
    public const string Threads = "--threads";
    public const string Seed = "--seed";

    /// <summary>All of them.</summary>
    public static readonly string[] Names = [Json, Device, Threads, Seed];

    public static void AddTo(RootCommand root)
    {
        root.Add(new Option<bool>(Json)
        {
            Description = "Write one JSON object as the last line of standard output, all else to standard error",
            Recursive = true,
        });
        root.Add(new Option<string>(Device)
        {
            Description = "Where to compute",
            HelpName = "auto|cpu|cuda|opencl",
            DefaultValueFactory = static _ => "auto",
            Recursive = true,
        });
        root.Add(IntegerOption.Create(Threads, "Threads of the CPU; all processors if not given", 1, 1024, recursive: true));
        root.Add(IntegerOption.Create(Seed, "Seed of everything random", 0, long.MaxValue, recursive: true));
    }
}
