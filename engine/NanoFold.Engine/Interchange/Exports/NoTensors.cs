namespace NanoFold.Engine.Interchange.Exports;

/// <summary>No files: for rules that look at what there is, where something is written. Only of stacks of experts something is known: how many there are.</summary>
/// <param name="experts">How many.</param>
internal sealed class NoTensors(int experts = 1) : ITensorFiles
{
    /// <inheritdoc/>
    public IReadOnlyList<string> Paths => [];

    /// <inheritdoc/>
    public IReadOnlyCollection<TensorEntry> Tensors => [];

    /// <inheritdoc/>
    public TensorEntry? Find(string name) => name.Contains("_exps.", StringComparison.Ordinal) ? new TensorEntry("", name, [experts], "F32", true) : null;

    /// <inheritdoc/>
    public void Read(string name, long start, Span<float> destination) => throw new InvalidOperationException($"there is no tensor '{name}'");

    /// <inheritdoc/>
    public void Dispose()
    {
    }
}
