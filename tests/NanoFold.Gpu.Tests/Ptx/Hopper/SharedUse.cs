namespace NanoFold.Gpu.Tests.Ptx.Hopper;

/// <summary>
/// Who uses which 16 bytes of shared memory: bytes that come in the background may not be touched, bytes that are read there may not be written,
/// and what loads and stores (the generic proxy) wrote must be fenced before copies and tensor cores (the async proxy) use it.
/// </summary>
internal sealed class SharedUse
{
    private readonly int[] _readers, _unfenced;
    private readonly bool[] _isComing;

    public SharedUse(int bytes)
    {
        int chunks = (bytes + 15) / 16;
        (_readers, _isComing, _unfenced) = (new int[chunks], new bool[chunks], new int[chunks]);
    }

    /// <summary>A load or store.</summary>
    public void Generic(PtxWarp warp, int address, int bytes, bool isWrite)
    {
        for (int chunk = address / 16; chunk <= (address + bytes - 1) / 16; chunk++)
        {
            Settled(chunk);
            if (isWrite)
            {
                Unread(chunk);
                _unfenced[chunk] = 1 + warp.Number;
            }
        }
    }

    /// <summary>What the warp wrote is fenced for the async proxy.</summary>
    public void Fence(PtxWarp warp)
    {
        for (int chunk = 0; chunk < _unfenced.Length; chunk++)
        {
            if (_unfenced[chunk] == 1 + warp.Number)
            {
                _unfenced[chunk] = 0;
            }
        }
    }

    public void BeginRead(ReadOnlySpan<int> chunks)
    {
        foreach (int chunk in chunks)
        {
            Settled(chunk);
            Fenced(chunk);
            _readers[chunk]++;
        }
    }

    public void EndRead(ReadOnlySpan<int> chunks)
    {
        foreach (int chunk in chunks)
        {
            _readers[chunk]--;
        }
    }

    public void BeginWrite(ReadOnlySpan<int> chunks)
    {
        foreach (int chunk in chunks)
        {
            Settled(chunk);
            Unread(chunk);
            Fenced(chunk);
            _isComing[chunk] = true;
        }
    }

    public void EndWrite(ReadOnlySpan<int> chunks)
    {
        foreach (int chunk in chunks)
        {
            _isComing[chunk] = false;
        }
    }

    private void Settled(int chunk)
    {
        if (_isComing[chunk])
        {
            throw new InvalidOperationException($"shared bytes from {16 * chunk} are still being copied");
        }
    }

    private void Unread(int chunk)
    {
        if (_readers[chunk] > 0)
        {
            throw new InvalidOperationException($"shared bytes from {16 * chunk} are written while they are read in the background");
        }
    }

    private void Fenced(int chunk)
    {
        if (_unfenced[chunk] > 0)
        {
            throw new InvalidOperationException($"shared bytes from {16 * chunk} were written by warp {_unfenced[chunk] - 1} without fence.proxy.async");
        }
    }
}
