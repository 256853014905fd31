using ILGPU;
using NanoFold.Kernels.Gpu.Elements;

namespace NanoFold.Kernels.Gpu.Attention.Cached;

/// <summary>Writes the new keys, or values, of a token into their slot; a thread takes four columns. Grid: batch · time · key head, chunk of columns.</summary>
internal struct CachedAppendWork<T> : IGpuWork<CachedAppendWork<T>>
    where T : unmanaged, IElement<T>
{
    public HeadView<T> X, Slots;
    public CacheView Cache;
    public int KeyHeads;

    public static void Run(CachedAppendWork<T> w)
    {
        int head = Grid.IdxX % w.KeyHeads, token = Grid.IdxX / w.KeyHeads, time = token % w.Cache.Time, batch = token / w.Cache.Time;
        if (time >= w.Cache.Count(batch))
        {
            return;
        }

        int slot = w.Cache.Slot(w.Cache.Positions[batch] + time), column = (Grid.IdxY * Group.DimX + Group.IdxX) * 4;
        w.Slots.Write(w.Slots.Row(batch, slot, head), column, w.X.Read(w.X.Row(batch, time, head), column), 1, 0);
    }
}
