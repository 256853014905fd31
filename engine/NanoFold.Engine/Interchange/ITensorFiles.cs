namespace NanoFold.Engine.Interchange;

/// <summary>The tensors of a file or of several, open, under the names that they have there.</summary>
public interface ITensorFiles : IDisposable
{
    /// <summary>The files, by their paths: what a hash of the weights covers.</summary>
    IReadOnlyList<string> Paths { get; }

    /// <summary>All of them.</summary>
    IReadOnlyCollection<TensorEntry> Tensors { get; }

    /// <summary>The one of that name, or null.</summary>
    TensorEntry? Find(string name);

    /// <summary>Reads the elements from <paramref name="start"/> on, widened or dequantized to float32.</summary>
    /// <exception cref="UserException">The file cannot be read.</exception>
    void Read(string name, long start, Span<float> destination);
}

/// <summary>A tensor of a file.</summary>
/// <param name="File">Its path.</param>
/// <param name="Name">As it is called there.</param>
/// <param name="Shape">Row-major, the last extent the fastest, whichever way the format writes it.</param>
/// <param name="Type">As the format names it: <c>F32</c>, <c>BF16</c>, <c>Q4_K</c>.</param>
/// <param name="IsReal">Whether it can be read as real numbers.</param>
public sealed record TensorEntry(string File, string Name, IReadOnlyList<long> Shape, string Type, bool IsReal)
{
    /// <summary>Where its elements lie as they are; null where they are blocks of a type that is only dequantized.</summary>
    public WeightPlace? Place { get; init; }

    /// <inheritdoc/>
    public override string ToString() => $"{Name} {Type} [{string.Join(", ", Shape)}]";
}
