using NanoFold.Kernels;

namespace NanoFold.Engine.Interchange;

/// <summary>The values of a model of another program under the names that parameters have here, read on demand from where they lie.</summary>
public interface IWeights
{
    /// <summary>What there is, by our names.</summary>
    IReadOnlyCollection<WeightInfo> All { get; }

    /// <summary>The one of that name, or null.</summary>
    WeightInfo? Find(string name);

    /// <summary>Reads the elements from <paramref name="start"/> on, row-major in our shape, widened or dequantized to float32.</summary>
    /// <param name="name">Of the parameter.</param>
    /// <param name="start">The first element.</param>
    /// <param name="destination">As many as are wanted.</param>
    /// <exception cref="UserException">The file cannot be read.</exception>
    void Read(string name, long start, Span<float> destination);

    /// <summary>Reads all elements.</summary>
    void Read(string name, Span<float> destination) => Read(name, 0, destination);

    /// <summary>Where the elements lie in a file one after the other as we have them; null where they are put together from pieces, or blocks of a type that is only dequantized.</summary>
    WeightPlace? PlaceOf(string name) => null;

    /// <summary>The same where they lie in several pieces of one type, in order; null where they are turned round, or of types that cannot be used as they are.</summary>
    IReadOnlyList<WeightRun>? RunsOf(string name) => PlaceOf(name) is { } place ? [new WeightRun(place, Find(name)!.Count)] : null;
}

/// <summary>A parameter of ours in the files of another program.</summary>
/// <param name="Name">Our name.</param>
/// <param name="Shape">Our shape.</param>
/// <param name="Type">The type of what is stored, as its format names it: <c>F32</c>, <c>BF16</c>, <c>Q4_K</c>; F32 where it is put together of several.</param>
public sealed record WeightInfo(string Name, IReadOnlyList<int> Shape, string Type)
{
    /// <summary>Elements.</summary>
    public long Count => Shape.Aggregate(1L, (product, extent) => product * extent);
}

/// <summary>A run of bytes that holds a parameter's elements, little-endian.</summary>
/// <param name="File">Its path.</param>
/// <param name="Offset">From the start of the file.</param>
/// <param name="Type">Of the elements.</param>
public readonly record struct WeightPlace(string File, long Offset, DType Type);

/// <summary>Elements of a parameter that lie one after the other.</summary>
/// <param name="Place">Where.</param>
/// <param name="Count">How many.</param>
public readonly record struct WeightRun(WeightPlace Place, long Count);
