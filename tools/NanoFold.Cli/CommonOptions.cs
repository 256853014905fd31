using System.CommandLine;
using System.CommandLine.Parsing;
using System.Globalization;

namespace NanoFold.Cli;

/// <summary>The options that every verb has.</summary>
internal static class CommonOptions
{
    public static Option<bool> Json { get; } = new("--json")
    {
        Description = "Write one JSON object as the last line of standard output, all else to standard error",
        Recursive = true,
    };

    public static Option<string> Device { get; } = new("--device")
    {
        Description = "Where to compute: auto, cpu, cuda or opencl",
        HelpName = "DEVICE",
        DefaultValueFactory = _ => "auto",
        Recursive = true,
    };

    public static Option<long?> Threads { get; } = Integer("--threads", "Threads of the CPU; all processors if not given", 1, 1024, recursive: true);

    public static Option<long?> Seed { get; } = Integer("--seed", "Seed of everything random", 0, long.MaxValue, recursive: true);

    public static void AddTo(Command root)
    {
        root.Add(Json);
        root.Add(Device);
        root.Add(Threads);
        root.Add(Seed);
    }

    /// <summary>An option for a whole number within bounds.</summary>
    public static Option<long?> Integer(string name, string description, long minimum, long maximum, bool recursive = false) => new(name)
    {
        Description = description,
        HelpName = "N",
        Recursive = recursive,
        CustomParser = result => Parse(result, name, minimum, maximum),
    };

    private static long? Parse(ArgumentResult result, string name, long minimum, long maximum)
    {
        string text = result.Tokens.Count == 1 ? result.Tokens[0].Value : "";
        if (long.TryParse(text, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out long value) && value >= minimum && value <= maximum)
        {
            return value;
        }

        string range = maximum == long.MaxValue ? $"of at least {minimum}" : $"from {minimum} to {maximum}";
        result.AddError($"{name}: expected an integer {range}, got '{text}'");
        return null;
    }
}
