namespace NanoFold.Kernels.Profiling;

/// <summary>Marks in the work of a device that works behind the host's back: what lies between two is the device's time.</summary>
public abstract class DeviceClock : IDisposable
{
    /// <summary>Forgets all marks.</summary>
    public abstract void Clear();

    /// <summary>Marks where the device's work stands now, in the order of calls; returns the mark's number, from 0.</summary>
    public abstract int Mark();

    /// <summary>Keeps the device busy for about so long, so that the host gets ahead and launching leaves no gaps in what is measured.</summary>
    public abstract void Hold(double milliseconds);

    /// <summary>Waits, then gives the seconds of a mark after the first.</summary>
    public abstract double Seconds(int mark);

    public abstract void Dispose();
}
