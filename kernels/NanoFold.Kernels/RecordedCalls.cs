namespace NanoFold.Kernels;

/// <summary>Calls that a device keeps as one piece of work, see <see cref="Backend.Capture"/>.</summary>
public abstract class RecordedCalls : IDisposable
{
    /// <summary>Does all of it again, with what lies in its operands and in the step's state now.</summary>
    public abstract void Replay();

    public abstract void Dispose();
}
