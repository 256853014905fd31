namespace NanoFold.Engine.Interchange.Gguf.Architectures;

/// <summary>Tensors of which some are stored otherwise than they are meant.</summary>
/// <param name="files">As they are.</param>
/// <param name="change">What makes of a stored value the meant one, by the tensor's name; null where they are the same.</param>
internal sealed class ChangedValues(ITensorFiles files, Func<string, Func<float, float>?> change) : ITensorFiles
{
    /// <inheritdoc/>
    public IReadOnlyList<string> Paths => files.Paths;

    /// <inheritdoc/>
    public IReadOnlyCollection<TensorEntry> Tensors { get; } = [.. files.Tensors.Select(tensor => Changed(tensor, change))];

    /// <inheritdoc/>
    public TensorEntry? Find(string name) => files.Find(name) is { } found ? Changed(found, change) : null;

    /// <inheritdoc/>
    public void Read(string name, long start, Span<float> destination)
    {
        files.Read(name, start, destination);
        if (change(name) is { } each)
        {
            foreach (ref float value in destination)
            {
                value = each(value);
            }
        }
    }

    /// <inheritdoc/>
    public void Dispose() => files.Dispose();

    // What is changed is no longer where it lies, and no longer of its type.
    private static TensorEntry Changed(TensorEntry entry, Func<string, Func<float, float>?> change) => change(entry.Name) is null ? entry : entry with { Type = "F32", Place = null };
}
