using System.Buffers.Binary;
using NanoFold.Engine.Checkpoints;

namespace NanoFold.Engine.Runs.Metrics;

/// <summary>
/// The event file of a run that TensorBoard reads, beside its logs and a copy of them: what is written to a log as a line is written here as scalars. It is only ever appended to, for a
/// TensorBoard may be reading it; where a run goes on from before, an event says from which step on what stands there is void.
/// </summary>
internal sealed class EventFile : IDisposable
{
    /// <summary>The file's name inside a run folder.</summary>
    public const string Name = "events.out.tfevents.nanofold";

    private readonly EventRecord _record = new();
    private readonly EventLines _lines;
    private readonly string _path;
    private readonly TimeProvider _clock;
    private readonly FileStream _file;

    private EventFile(string path, FileStream file, TimeProvider clock)
    {
        (_path, _file, _clock) = (path, file, clock);
        _lines = new EventLines(_record);
    }

    /// <summary>Opens it for appending, or creates it. A record that a crash tore is cut off.</summary>
    /// <param name="path">The file.</param>
    /// <param name="clock">Whose time events have; null for the system's.</param>
    /// <exception cref="UserException">It cannot be written.</exception>
    public static EventFile Open(string path, TimeProvider? clock = null)
    {
        try
        {
            PlainFile.RequireNoLink(path);
            var file = new FileStream(path, FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.Read | FileShare.Delete, bufferSize: 0);
            var events = new EventFile(path, file, clock ?? TimeProvider.System);
            try
            {
                if (!file.CanSeek)
                {
                    throw new IOException("It is not a plain file.");
                }

                long sound = SoundLength(file);
                file.SetLength(sound);
                file.Position = sound;
                if (sound == 0)
                {
                    events.Append(0, static record => record.SetVersion());
                }

                return events;
            }
            catch
            {
                events.Dispose();
                throw;
            }
        }
        catch (Exception e) when (FileFault.Is(e))
        {
            throw FileFault.Describe("cannot write", path, e);
        }
    }

    /// <summary>Writes the figures of a line of a log.</summary>
    /// <param name="line">A JSON object with a <c>step</c>.</param>
    /// <exception cref="UserException">It cannot be written, or the disk is full.</exception>
    public void Append(ReadOnlySpan<byte> line)
    {
        if (_lines.Read(line, Seconds()))
        {
            Write();
        }
    }

    /// <summary>Notes that the run goes on after a step: later ones are taken again.</summary>
    public void GoOnAfter(long step) => Append(step + 1, static record => record.SetStart());

    /// <summary>Appends all events to another file, but for the one that says what a file is.</summary>
    public void CopyTo(EventFile other)
    {
        try
        {
            _file.Position = 0;
            _file.Position = RecordEnd(_file, new byte[EventRecord.HeaderBytes]);
            _file.CopyTo(other._file);
            _file.Seek(0, SeekOrigin.End);
        }
        catch (Exception e) when (FileFault.Is(e))
        {
            throw FileFault.Describe("cannot write", other._path, e);
        }
    }

    public void Dispose() => _file.Dispose();

    private double Seconds() => (_clock.GetUtcNow() - DateTimeOffset.UnixEpoch).TotalSeconds;

    private void Append(long step, Action<EventRecord> fill)
    {
        _record.Begin(Seconds(), step);
        fill(_record);
        Write();
    }

    private void Write()
    {
        try
        {
            _file.Write(_record.End());
        }
        catch (Exception e) when (FileFault.Is(e))
        {
            throw FileFault.Describe("cannot write", _path, e);
        }
    }

    // Up to the last record that is whole; the content of events is not looked at.
    private static long SoundLength(FileStream file)
    {
        var header = new byte[EventRecord.HeaderBytes];
        long sound = 0;
        while (sound < file.Length)
        {
            file.Position = sound;
            long end = RecordEnd(file, header);
            if (end < 0 || end > file.Length)
            {
                break;
            }

            sound = end;
        }

        return sound;
    }

    // Where the record that begins at the file's place ends; −1 where there is none.
    private static long RecordEnd(FileStream file, byte[] header)
    {
        long start = file.Position;
        if (file.ReadAtLeast(header, header.Length, throwOnEndOfStream: false) < header.Length
            || BinaryPrimitives.ReadUInt32LittleEndian(header.AsSpan(sizeof(ulong))) != EventRecord.Checksum(header.AsSpan(0, sizeof(ulong))))
        {
            return -1;
        }

        ulong length = BinaryPrimitives.ReadUInt64LittleEndian(header);
        return length > int.MaxValue ? -1 : start + EventRecord.HeaderBytes + (long)length + sizeof(uint);
    }
}
