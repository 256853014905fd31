using System.CommandLine;
using NanoFold.Engine;
using NanoFold.Engine.Interchange;
using NanoFold.Kernels;

namespace NanoFold.Cli.Options;

/// <summary>The option that says what the weights of a model that is used are in memory.</summary>
internal sealed class WeightOptions
{
    /// <summary>As it is given.</summary>
    public const string Name = "--weights";

    private static readonly (string Name, WeightStorage Storage)[] s_known =
    [
        ("auto", WeightStorage.AsStored), ("f32", WeightStorage.Float32), ("f16", WeightStorage.Float16), ("bf16", WeightStorage.BFloat16), ("q8_0", WeightStorage.Q8_0),
    ];

    private readonly Option<string?> _one;

    public WeightOptions(VerbCommand command) => _one = command.Text(
        Name,
        Names,
        "What weights are in memory: as they are in their file, read in its place, or converted when they are loaded, matrices only; f32 copies them. auto if not given");

    /// <summary>The names.</summary>
    public static IReadOnlyList<string> Known { get; } = [.. s_known.Select(known => known.Name)];

    /// <summary>The names, as help shows them.</summary>
    public static string Names => string.Join('|', s_known.Select(known => known.Name));

    /// <summary>Whether it was given.</summary>
    public bool IsGiven(Invocation invocation) => invocation.Get(_one) is not null;

    /// <summary>What was asked for.</summary>
    /// <exception cref="UserException">It is not known.</exception>
    public WeightStorage Storage(Invocation invocation) => Of(invocation.Get(_one) ?? s_known[0].Name);

    /// <summary>What a name means.</summary>
    /// <exception cref="UserException">It is not known.</exception>
    public static WeightStorage Of(string name) => s_known.FirstOrDefault(known => known.Name == name) is { Name: not null } found
        ? found.Storage
        : throw UserException.Usage($"{Name}: expected {Names.Replace("|", ", ", StringComparison.Ordinal)}, not '{name}'");

    /// <summary>A type of weights as it is called in files.</summary>
    public static string NameOf(DType type) => type switch
    {
        DType.Float16 => "f16",
        DType.BFloat16 => "bf16",
        DType.Float32 => "f32",
        _ => $"{type}".ToLowerInvariant(),
    };
}
