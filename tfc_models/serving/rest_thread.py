"""The loop and the thread in which REST is served."""

import asyncio
import threading

from aiohttp import web

from tfc_models.errors import UsageError


class RestThread:
  """Runs the REST API.

  Args:
    api: `RestApi`.
    grace: seconds that requests have to end when it stops.
  """

  def __init__(self, api, grace):
    self._api = api
    self._loop = asyncio.new_event_loop()
    self._thread = threading.Thread(
        target=self._loop.run_forever, name="rest", daemon=True)
    # Of a client that is gone, the request is dropped.
    self._runner = web.AppRunner(
        api.app, handler_cancellation=True, access_log=None,
        # To aiohttp, 0 would be for ever.
        shutdown_timeout=max(grace, 0.001))

  def start(self, host, port, ssl_context):
    """Listens; returns the port."""
    self._thread.start()
    return self._call(self._listen(host, port, ssl_context))

  def stop(self):
    """Refuses new requests and waits for those under way."""
    self._call(self._close())
    self._loop.call_soon_threadsafe(self._loop.stop)
    self._thread.join()
    self._loop.close()

  def _call(self, coroutine):
    return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result()

  async def _listen(self, host, port, ssl_context):
    await self._runner.setup()
    site = web.TCPSite(self._runner, host, port, ssl_context=ssl_context)
    try:
      await site.start()
    except OSError as error:
      raise UsageError(
          f"{host}:{port}: REST cannot listen there ({error.strerror})") from None
    return self._runner.addresses[0][1]

  async def _close(self):
    self._api.is_closing = True
    await self._runner.cleanup()
