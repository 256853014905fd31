namespace NanoFold.Engine.Corpora.Formats;

/// <summary>Another stream, until it is cancelled.</summary>
/// <param name="stream">Where it is read from.</param>
/// <param name="mayWait">Whether that may give nothing for long, as a pipe does.</param>
/// <param name="cancel">Ends reading.</param>
internal sealed class InterruptibleStream(Stream stream, bool mayWait, CancellationToken cancel) : ForwardStream
{
    private readonly byte[] _buffer = new byte[mayWait ? 1 << 16 : 0];

    public override int Read(Span<byte> buffer)
    {
        cancel.ThrowIfCancellationRequested();
        if (!mayWait)
        {
            return stream.Read(buffer);
        }

        // No read of a pipe can be called off, so it is left behind.
        int count = Math.Min(buffer.Length, _buffer.Length);
        int read = Task.Run(() => stream.Read(_buffer, 0, count), CancellationToken.None).WaitAsync(cancel).GetAwaiter().GetResult();
        _buffer.AsSpan(0, read).CopyTo(buffer);
        return read;
    }
}
