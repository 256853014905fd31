using System.Buffers.Binary;
using System.Text;

namespace NanoFold.Engine.Training;

/// <summary>Decisions of several processes, made of the sums and broadcasts of an <see cref="ICollective"/>.</summary>
public static class Agreement
{
    /// <summary>Whether any process says yes.</summary>
    public static bool Any(this ICollective collective, bool value)
    {
        Span<double> votes = [value ? 1 : 0];
        collective.Sum(votes);
        return votes[0] > 0;
    }

    /// <summary>What process 0 says.</summary>
    public static bool Agree(this ICollective collective, bool value) => collective.Agree(value ? 1L : 0) != 0;

    /// <inheritdoc cref="Agree(ICollective, bool)"/>
    public static double Agree(this ICollective collective, double value) => BitConverter.Int64BitsToDouble(collective.Agree(BitConverter.DoubleToInt64Bits(value)));

    /// <inheritdoc cref="Agree(ICollective, bool)"/>
    public static long Agree(this ICollective collective, long value)
    {
        Span<byte> bytes = stackalloc byte[sizeof(long)];
        BinaryPrimitives.WriteInt64LittleEndian(bytes, value);
        collective.Broadcast(bytes);
        return BinaryPrimitives.ReadInt64LittleEndian(bytes);
    }

    /// <inheritdoc cref="Agree(ICollective, bool)"/>
    public static string Agree(this ICollective collective, string value)
    {
        byte[] bytes = Encoding.UTF8.GetBytes(value);
        Array.Resize(ref bytes, checked((int)collective.Agree((long)bytes.Length)));
        collective.Broadcast(bytes);
        return Encoding.UTF8.GetString(bytes);
    }
}
