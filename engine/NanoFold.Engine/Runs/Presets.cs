using NanoFold.Engine.Configuration;
using NanoFold.Engine.Model;
using NanoFold.Engine.Training;

namespace NanoFold.Engine.Runs;

/// <summary>Models and training settings by name.</summary>
public static class Presets
{
    /// <summary>The preset of a run that names none.</summary>
    public const string Default = "nano";

    /// <summary>All names, the smallest model first.</summary>
    public static IReadOnlyList<string> Names { get; } = [Default, "small", "gpt2"];

    /// <summary>A preset, not resolved yet.</summary>
    /// <exception cref="ConfigException">There is none of that name.</exception>
    public static RunConfig Of(string name) => name switch
    {
        Default => new RunConfig
        {
            Preset = Default,
            Model = new ModelConfig { Layers = 4, Heads = 4, Width = 128, Context = 64 },
            Train = new TrainConfig { Steps = 2000, Batch = 12 },
        },
        "small" => new RunConfig
        {
            Preset = "small",
            Model = new ModelConfig { Layers = 6, Heads = 6, Width = 384, Context = 256 },
            Train = new TrainConfig { Steps = 5000, Batch = 8 },
        },
        "gpt2" => new RunConfig
        {
            Preset = "gpt2",
            Model = new ModelConfig { Layers = 12, Heads = 12, Width = 768, Context = 1024, Tied = true },
            Train = new TrainConfig { Steps = 20000, Batch = 4, Accumulate = 8 },
        },
        _ => throw new ConfigException([new ConfigProblem("preset", $"unknown preset \"{name}\"; known: {string.Join(", ", Names)}")]),
    };
}
