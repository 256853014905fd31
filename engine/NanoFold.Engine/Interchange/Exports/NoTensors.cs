namespace NanoFold.Engine.Interchange.Exports;

/// <summary>No files: for rules that look at what there is, where something is written.</summary>
internal sealed class NoTensors : ITensorFiles
{
    /// <inheritdoc/>
    public IReadOnlyList<string> Paths => [];

    /// <inheritdoc/>
    public IReadOnlyCollection<TensorEntry> Tensors => [];

    /// <inheritdoc/>
    public TensorEntry? Find(string name) => null;

    /// <inheritdoc/>
    public void Read(string name, long start, Span<float> destination) => throw new InvalidOperationException($"there is no tensor '{name}'");

    /// <inheritdoc/>
    public void Dispose()
    {
    }
}
