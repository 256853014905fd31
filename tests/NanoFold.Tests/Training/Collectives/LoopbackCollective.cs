using System.Net;
using System.Net.Sockets;
using System.Runtime.InteropServices;
using System.Text;
using NanoFold.Engine;
using NanoFold.Engine.Training;
using NanoFold.Kernels;
using NanoFold.Kernels.Cpu;

namespace NanoFold.Tests.Training.Collectives;

/// <summary>Processes, or threads, of this machine over its loopback: process 0 adds and passes on, the others talk with it alone.</summary>
internal sealed class LoopbackCollective : ICollective, IDisposable
{
    private const byte Data = 1;
    private const byte Left = 2;

    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(60);

    private readonly Backend _backend;
    private readonly Socket?[] _sockets;
    private readonly byte[] _header = new byte[5];
    private bool _hasLeft;

    private LoopbackCollective(Backend backend, int rank, Socket?[] sockets, TimeSpan patience)
    {
        (_backend, Rank, _sockets) = (backend, rank, sockets);
        foreach (Socket? socket in sockets)
        {
            if (socket is not null)
            {
                socket.NoDelay = true;
                socket.ReceiveTimeout = socket.SendTimeout = (int)patience.TotalMilliseconds;
            }
        }
    }

    public int Rank { get; }

    public int World => _sockets.Length;

    /// <summary>Process 0: waits until all others have come.</summary>
    public static LoopbackCollective Lead(Backend backend, TcpListener listener, int world, TimeSpan? patience = null)
    {
        var sockets = new Socket?[world];
        byte[] rank = new byte[1];
        for (int i = 1; i < world; i++)
        {
            using var limit = new CancellationTokenSource(s_patience);
            Socket socket = listener.AcceptSocketAsync(limit.Token).AsTask().GetAwaiter().GetResult();
            socket.Receive(rank);
            sockets[rank[0]] = socket;
        }

        return new LoopbackCollective(backend, 0, sockets, patience ?? s_patience);
    }

    /// <summary>Another process.</summary>
    public static LoopbackCollective Follow(Backend backend, int port, int rank, int world, TimeSpan? patience = null)
    {
        var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        socket.Connect(IPAddress.Loopback, port);
        socket.Send([(byte)rank]);
        var sockets = new Socket?[world];
        sockets[0] = socket;
        return new LoopbackCollective(backend, rank, sockets, patience ?? s_patience);
    }

    /// <summary>Threads of this process in the place of processes, with a backend each; what each of them gives.</summary>
    public static T[] Together<T>(int world, Func<Backend, ICollective, T> process, TimeSpan? patience = null)
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        int port = PortOf(listener);
        Task<T>[] processes =
        [
            .. Enumerable.Range(0, world).Select(rank => Task.Factory.StartNew(
                () =>
                {
                    using var backend = new CpuBackend(1);
                    using LoopbackCollective collective = rank == 0
                        ? Lead(backend, listener, world, patience)
                        : Follow(backend, port, rank, world, patience);
                    return process(backend, collective);
                },
                CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default)),
        ];
        return Task.WhenAll(processes).GetAwaiter().GetResult();
    }

    public static int PortOf(TcpListener listener) => ((IPEndPoint)listener.LocalEndpoint).Port;

    public void Sum(in View x)
    {
        if (x.Type == DType.Int32)
        {
            Sum<int>(x);
        }
        else
        {
            Sum<float>(x);
        }
    }

    public void Sum(Span<double> values) => Add(values);

    public void Broadcast(in View x)
    {
        byte[] bytes = new byte[x.Count * x.Type.Size()];
        View raw = x.As(DType.Int32, Layout.Of(bytes.Length / sizeof(int)));
        Span<int> words = MemoryMarshal.Cast<byte, int>(bytes.AsSpan());
        if (Rank == 0)
        {
            _backend.Download(raw, words);
        }

        Broadcast(bytes);
        _backend.Upload<int>(words, raw);
    }

    public void Broadcast(Span<byte> bytes)
    {
        if (Rank == 0)
        {
            SendToAll(bytes);
        }
        else
        {
            Receive(0, bytes);
        }
    }

    public void Leave(string reason)
    {
        _hasLeft = true;
        byte[] text = Encoding.UTF8.GetBytes(reason);
        for (int other = 0; other < World; other++)
        {
            try
            {
                if (_sockets[other] is { } socket)
                {
                    Send(other, text, Left);
                    socket.Shutdown(SocketShutdown.Send);
                }
            }
            catch (Exception e) when (e is UserException or SocketException or ObjectDisposedException)
            {
                // It has gone before.
            }
        }
    }

    public void Dispose()
    {
        foreach (Socket? socket in _sockets)
        {
            if (_hasLeft && socket is not null)
            {
                Drain(socket);
            }

            socket?.Dispose();
        }
    }

    // Closing a socket with unread bytes may take back what was sent, and so the reason.
    private static void Drain(Socket socket)
    {
        try
        {
            socket.ReceiveTimeout = 1000;
            byte[] bytes = new byte[1 << 16];
            while (socket.Receive(bytes) > 0)
            {
            }
        }
        catch (SocketException)
        {
            // It has gone, or has nothing more to say.
        }
    }

    private void Sum<T>(in View x)
        where T : unmanaged, System.Numerics.INumber<T>
    {
        var values = new T[x.Count];
        _backend.Download<T>(x, values);
        Add(values.AsSpan());
        _backend.Upload<T>(values, x);
    }

    private void Add<T>(Span<T> values)
        where T : unmanaged, System.Numerics.INumber<T>
    {
        Span<byte> bytes = MemoryMarshal.AsBytes(values);
        if (Rank > 0)
        {
            Send(0, bytes, Data);
            Receive(0, bytes);
            return;
        }

        var theirs = new T[values.Length];
        for (int other = 1; other < World; other++)
        {
            Receive(other, MemoryMarshal.AsBytes(theirs.AsSpan()));
            for (int i = 0; i < theirs.Length; i++)
            {
                values[i] += theirs[i];
            }
        }

        SendToAll(bytes);
    }

    private void SendToAll(ReadOnlySpan<byte> bytes)
    {
        for (int other = 1; other < World; other++)
        {
            Send(other, bytes, Data);
        }
    }

    private void Send(int other, ReadOnlySpan<byte> bytes, byte kind)
    {
        byte[] header = [kind, .. BitConverter.GetBytes(bytes.Length)];
        try
        {
            SendAll(_sockets[other]!, header);
            SendAll(_sockets[other]!, bytes);
        }
        catch (SocketException) when (kind == Data)
        {
            // It may have said why, before it went.
            Receive(other, []);
        }
    }

    private static void SendAll(Socket socket, ReadOnlySpan<byte> bytes)
    {
        while (bytes.Length > 0)
        {
            bytes = bytes[socket.Send(bytes)..];
        }
    }

    private void Receive(int other, Span<byte> bytes)
    {
        try
        {
            ReceiveAll(other, _header);
            int length = BitConverter.ToInt32(_header, 1);
            if (_header[0] == Left)
            {
                byte[] reason = new byte[length];
                ReceiveAll(other, reason);
                throw new UserException($"process {other} of {World} has ended: {Encoding.UTF8.GetString(reason)}");
            }

            Assert.That(length, Is.EqualTo(bytes.Length), $"process {Rank} of {World}: other calls than process {other}");
            ReceiveAll(other, bytes);
        }
        catch (SocketException e)
        {
            throw new UserException(
                e.SocketErrorCode is SocketError.TimedOut or SocketError.WouldBlock ? $"process {other} of {World} does not answer" : $"process {other} of {World} is gone", e);
        }
    }

    private void ReceiveAll(int other, Span<byte> bytes)
    {
        while (bytes.Length > 0)
        {
            int received = _sockets[other]!.Receive(bytes);
            bytes = bytes[received..];
            if (received == 0)
            {
                throw new UserException($"process {other} of {World} is gone");
            }
        }
    }
}
