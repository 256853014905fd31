namespace NanoFold.Engine.Interchange.HuggingFace.Architectures;

/// <summary>What models share whose layers are of several kinds.</summary>
internal static class HybridRules
{
    /// <summary>A parameter of a state space, whose filters have a dimension of 1 there.</summary>
    /// <param name="ours">Our parameter.</param>
    /// <param name="theirs">Its name there.</param>
    public static TensorRule OfStates(WeightInfo ours, string theirs) =>
        ours.Name.EndsWith(".conv1d.weight", StringComparison.Ordinal) ? TensorRule.Same(ours, theirs, [ours.Shape[0], 1, ours.Shape[1]]) : TensorRule.Same(ours, theirs);

    /// <summary>Period and offset of layers that are alike every so many; where no two are, of a period that is longer than the model.</summary>
    /// <param name="chosen">Whether each layer is one of them.</param>
    public static (int Period, int Offset) Period(IReadOnlyList<bool> chosen)
    {
        int[] places = [.. chosen.Index().Where(layer => layer.Item).Select(layer => layer.Index)];
        return places is [var first, var second, ..] ? (second - first, first % (second - first)) : (chosen.Count + 1, places is [var only] ? only : chosen.Count);
    }
}
