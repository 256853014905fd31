using System.Text;
using Microsoft.Win32.SafeHandles;

namespace NanoFold.Cli.Writing;

/// <summary>
/// Standard output and standard error as this program writes them: UTF-8 where they are redirected, whatever the locale, and nothing that happens to them
/// is passed over or taken for a fault of the program. See <see cref="LostOutput"/>.
/// </summary>
internal static class StandardStreams
{
    private static readonly UTF8Encoding s_utf8 = new(encoderShouldEmitUTF8Identifier: false);

    /// <summary>Makes them the ones of <see cref="Console"/>.</summary>
    public static void TakeOver()
    {
        Console.SetOut(Writer(Open(1, Console.OpenStandardOutput), Console.IsOutputRedirected, isAsked: true));
        Console.SetError(Writer(Open(2, Console.OpenStandardError), Console.IsErrorRedirected, isAsked: false));
    }

    private static StreamWriter Writer(Stream stream, bool isRedirected, bool isAsked)
        => new(new GuardedStream(stream, isAsked), isRedirected ? s_utf8 : Console.OutputEncoding, bufferSize: 1024) { AutoFlush = true };

    // The stream of .NET says nothing of a pipe that was closed. One with a place of its own (a file) is left to it: that place is shared with other writers.
    private static Stream Open(int descriptor, Func<Stream> usual)
    {
        if (OperatingSystem.IsWindows())
        {
            return usual();
        }

        try
        {
            var stream = new FileStream(new SafeFileHandle(descriptor, ownsHandle: false), FileAccess.Write, bufferSize: 0);
            return stream.CanSeek ? usual() : stream;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or ArgumentException)
        {
            // Closed before this program began.
            return usual();
        }
    }
}

/// <summary>Writes on to another stream until that fails once; what comes later is dropped.</summary>
/// <param name="inner">Where it goes.</param>
/// <param name="isAsked">What is written is what the user asked for; a failure is an error. Otherwise only a closed pipe is.</param>
internal sealed class GuardedStream(Stream inner, bool isAsked) : Stream
{
    private bool _isLost;

    public override bool CanRead => false;

    public override bool CanSeek => false;

    public override bool CanWrite => true;

    public override long Length => throw new NotSupportedException();

    public override long Position { get => throw new NotSupportedException(); set => throw new NotSupportedException(); }

    public override void Write(ReadOnlySpan<byte> buffer)
    {
        if (_isLost)
        {
            return;
        }

        try
        {
            inner.Write(buffer);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            _isLost = true;
            if (isAsked || LostOutput.IsClosed(e))
            {
                LostOutput.Report(e);
            }
        }
    }

    public override void Write(byte[] buffer, int offset, int count) => Write(buffer.AsSpan(offset, count));

    public override void Flush()
    {
    }

    public override int Read(byte[] buffer, int offset, int count) => throw new NotSupportedException();

    public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

    public override void SetLength(long value) => throw new NotSupportedException();
}
