using NanoFold.Engine.Autograd;
using NanoFold.Engine.Tensors;
using NanoFold.Kernels;

namespace NanoFold.Engine.Modules;

/// <summary>What a model's mixers remember while decoding: fixed capacity, contiguous per layer and slot.</summary>
public sealed class DecodeCache : IDisposable
{
    private readonly Dictionary<(int Layer, string Name), View> _slots = [];
    private readonly List<DeviceBuffer> _buffers = [];

    internal DecodeCache(Backend backend, IReadOnlyList<IEnumerable<CacheSlot>> layers, int batch, int chunk, DType type)
    {
        for (int layer = 0; layer < layers.Count; layer++)
        {
            foreach (CacheSlot slot in layers[layer])
            {
                DeviceBuffer buffer = backend.Allocate(slot.Layout.Count * type.Size());
                _buffers.Add(buffer);
                _slots.Add((layer, slot.Name), new View(buffer, 0, slot.Layout, type));
            }
        }

        Batch = batch;
        Chunk = chunk;
    }

    public int Batch { get; }

    /// <summary>Most new tokens a row may bring at a time.</summary>
    public int Chunk { get; }

    public long Bytes => _buffers.Sum(b => b.Bytes);

    public Tensor Use(Tape tape, int layer, string name) => tape.External($"cache.{layer}.{name}", _slots[(layer, name)]);

    public void Dispose()
    {
        foreach (DeviceBuffer buffer in _buffers)
        {
            buffer.Dispose();
        }
    }
}
