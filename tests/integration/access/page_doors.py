"""The pages' lines, and those of files; people come with their sign-in cookie."""

from tests.integration.access.table import doors

# A new route needs a line here, and below what a caller sends there, if anything. A cookie that is
# not believed makes an anonymous visitor. 303 sends people to the sign-in page.
TABLE = """
# method     route                                     anonymous owner other admin deactivated expired forged
# files
GET          /static/<filename>                              200   200   200   200         200     200    200
GET          /media/<name>                                   200   200   200   200         200     200    200
# app/pages/storefront.py
GET          /                                               200   200   200   200         200     200    200
"""

BODIES = {}

PAGE_DOORS = doors(TABLE, BODIES, is_page=True)
