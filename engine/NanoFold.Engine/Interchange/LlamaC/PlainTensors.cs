using Microsoft.Win32.SafeHandles;
using NanoFold.Engine.Interchange.Gguf.Blocks;

namespace NanoFold.Engine.Interchange.LlamaC;

/// <summary>Tensors that lie in a file one after the other, in an order that its program knows and the file does not say.</summary>
internal sealed class PlainTensors : ITensorFiles
{
    private readonly SafeFileHandle _handle;
    private readonly BlockType _type;
    private readonly Dictionary<string, (TensorEntry Entry, long Offset)> _byName = new(StringComparer.Ordinal);
    private long _at;

    /// <param name="path">The file.</param>
    /// <param name="handle">Open for reading; owned from here on.</param>
    /// <param name="type">Of all elements: F32 or BF16.</param>
    /// <param name="start">Where the first tensor lies.</param>
    public PlainTensors(string path, SafeFileHandle handle, BlockType type, long start)
    {
        (Paths, _handle, _type, _at) = ([path], handle, type, start);
    }

    /// <inheritdoc/>
    public IReadOnlyList<string> Paths { get; }

    /// <inheritdoc/>
    public IReadOnlyCollection<TensorEntry> Tensors => [.. _byName.Values.Select(tensor => tensor.Entry)];

    /// <summary>The next tensor, of each layer where its name has a star; those of all layers lie together.</summary>
    /// <param name="name">Its name.</param>
    /// <param name="layers">How many layers there are.</param>
    /// <param name="shape">Of one.</param>
    public void Add(string name, int layers, params IReadOnlyList<long> shape)
    {
        bool isOfLayers = name.Contains('*', StringComparison.Ordinal);
        for (int layer = 0; layer < (isOfLayers ? layers : 1); layer++)
        {
            string one = name.Replace("*", $"{layer}", StringComparison.Ordinal);
            _byName.Add(one, (new TensorEntry(Paths[0], one, shape, _type.Name, true) { Place = new WeightPlace(Paths[0], _at, _type.Held!.Value) }, _at));
            Skip(shape.Aggregate(1L, (product, extent) => product * extent));
        }
    }

    /// <summary>Elements that are no weights.</summary>
    public void Skip(long elements) => _at += elements * _type.Bytes;

    /// <inheritdoc/>
    public TensorEntry? Find(string name) => _byName.TryGetValue(name, out (TensorEntry Entry, long) found) ? found.Entry : null;

    /// <inheritdoc/>
    public void Read(string name, long start, Span<float> destination)
    {
        try
        {
            BlockRows.Read(_handle, _type, _byName[name].Offset, start, destination);
        }
        catch (FormatException e)
        {
            throw new UserException($"{Paths[0]}: '{name}': {e.Message}", e);
        }
        catch (Exception e) when (FileFault.Is(e))
        {
            throw FileFault.Describe("cannot read", Paths[0], e);
        }
    }

    /// <inheritdoc/>
    public void Dispose() => _handle.Dispose();
}
