namespace NanoFold.Kernels.Cpu.Attention;

/// <summary>Hands out aligned pieces of a worker's scratch. Started at null it only measures.</summary>
internal unsafe struct ScratchCursor(void* start)
{
    private const int Alignment = 64;

    private readonly byte* _start = (byte*)start;
    private byte* _next = (byte*)start;

    public readonly long Used => _next - _start;

    public void* Take(long bytes)
    {
        byte* piece = _next;
        _next += (bytes + Alignment - 1) / Alignment * Alignment;
        return piece;
    }
}
