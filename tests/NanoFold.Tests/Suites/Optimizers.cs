using NanoFold.Engine.Configuration;
using NanoFold.Engine.Training;

namespace NanoFold.Tests.Suites;

/// <summary>The registered optimizers.</summary>
internal static class Optimizers
{
    /// <summary>One of each kind, as a configuration that says nothing else has it.</summary>
    public static IReadOnlyList<OptimizerConfig> All { get; } = [.. Variant.Of<OptimizerConfig>().Select(variant => (OptimizerConfig)Activator.CreateInstance(variant.Type)!)];

    public static OptimizerConfig Of(string kind) => All.Single(optimizer => optimizer.Kind == kind);

    /// <summary>A slot by its name.</summary>
    public static OptimizerSlot Slot(this Optimizer optimizer, string name) => optimizer.Slots.Single(slot => slot.Name == name);
}
